// Package deliver brings the log's reports to the sinks: one Worker a sink, at least once, each at
// its own pace.
//
// A worker is one goroutine that owns all its state. It reads ahead a window of records, starts
// deliveries, takes their results, and settles: it moves the sink's cursor behind the last record
// that has no unfinished one before it. What it must remember beyond the cursor (dead letters,
// parked records, since when the sink is down) is settled in the same transaction, so a crash at any
// moment repeats at most one window and loses nothing.
//
// A failing report and a failing sink are told apart by whether the sink takes anything else:
//
//   - while it does, a report that failed five times is parked: it is tried again on a schedule of
//     its own and holds up nothing;
//   - when five deliveries in a row failed, the breaker opens: one delivery at a time is tried, each
//     time of another record, until one is taken. Nothing is parked for what is the sink's fault.
//
// What a report says is the attacker's to choose, and so is whether a filter before the receiver
// takes it. A window full of such reports looks like an outage. So while the breaker is open every
// other try is of a record beyond the full window; once one of those is taken, what fails in the
// window is parked at its next failure. That record is not delivered again in its turn.
//
// What the sink refuses for good, and what was tried for longer than give_up, goes to the dead
// letters with the report itself, so that it can still be sent when the log has forgotten it. What
// was tried most goes there early when there are too many parked reports.
//
// All that a worker holds is bounded by number and by bytes: the window, the parked reports, and the
// dead letters, which the log never removes of itself and of which the oldest are lost, with a count,
// when they are too many.
package deliver
