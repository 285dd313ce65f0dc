// Command bench runs what takes Falco's alerts under a load, with webhooks that misbehave, and writes
// one line of JSON a run: what was accepted, delivered, lost, repeated, how fast, and what it cost.
//
//	go run ./internal/bench                    # the table of the README, about ten minutes
//	go run ./internal/bench -quick             # the same rows, small, in a minute
//	go run ./internal/bench -run 'kill|down'   # some rows
//	go run ./internal/bench -n 20000 -posters 4 -rate 1000 -script 'ok@5s status=500@5s ok'
//
// Without -url it builds filelessd and starts it with a configuration and a data directory of its own.
// With -url it posts to any other receiver of Falco's http_output, whose webhook has to point at
// -receive. Falcosidekick, for one:
//
//	go run ./internal/bench -url http://127.0.0.1:2901/ -receive 127.0.0.1:2902 \
//	    -exec 'env LISTENPORT=2901 WEBHOOK_ADDRESS=http://127.0.0.1:2902/ falcosidekick'
//
// -exec starts it anew for each row, so that it can be killed too; with -pid instead, one that
// is running is watched, and the rows that kill are left out.
//
// A delivery counts by the alert that it is about, at the moment the receiver answers it. Lost is what
// was answered with a 2xx and did not come. Generator, program and receivers share the machine, so each
// line says what the processors did besides and how long an fsync took right before: compare lines
// by these, or runs in turns.
package main
