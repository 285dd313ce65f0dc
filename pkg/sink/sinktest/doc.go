// Package sinktest is the contract of package sink as tests: what a sink must do for the program
// around it to keep its promises. Every kind of sink runs it against a destination in the test's
// own process, or a real one.
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Harness { return newHarness(t) })
//	}
//
// Run it with the race detector: that is what finds a sink that writes to a report.
//
// # Writing a harness
//
// Each test of the suite calls newHarness, which starts a destination that accepts everything. For a
// sink that speaks HTTP it is an httptest.Server; for one that connects and stays connected, a Server
// of this package, whose Harness method fills in most fields. The rest:
//
//   - Open opens the sink on the destination, with Env for its environment and Secret for every
//     credential. Limits and pauses are the sink's own defaults: what is tested is what people run.
//   - Received has one element for each report that was accepted, not for each request: of a request
//     with a batch take the reports apart. Each element holds the report's ID in plain text; if the
//     medium encodes it, decode it here.
//   - Reject is an answer after which the same report must not come again (a message that is too
//     long, or malformed), Throttle one that asks for a pause, Fail one that passes (the server is
//     overloaded, or the connection is cut after the message was read). Where the receiver says
//     something on refusing, let it repeat the credentials, as real ones do: that is how the suite
//     finds errors that show them. sink.Hide takes them out.
//   - Leave stops listening and cuts what is connected. Hold has deliveries read and not answered.
//   - What this kind can not have stands in Lacks with the reason. A datagram has no answer: it lacks
//     Reject, Throttle, Fail, Leave and Hold.
//
// # Inert
//
// Inert is called with what arrived of Hostile, in which every text of the alert is meant to do harm.
// It reads that with a parser of the medium's, not with the sink's code, and says what a reader there
// would see that the sink did not mean: a mention, a link, an image, a heading, another line, another
// field, a header. CheckJSON is for the report as a line of JSON, CheckText for plain text. For all
// else state the medium's rules as a Medium: how to take a message apart, what must not be in a text,
// how long it may be. Beside that, each escape function has a fuzz test of its own.
//
// Kinds has a report of each kind, for golden files; Ordinary and Summary are of one attack, for what
// keeps reports together by sink.ThreadKey.
package sinktest
