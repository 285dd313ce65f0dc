// Package sinktest is the contract of package sink as tests: what a sink must do for the program
// around it to keep its promises. Every kind of sink runs it against a destination in the test's
// own process, or a real one.
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Harness { return newHarness(t) })
//	}
//
// Run it with the race detector: that is what finds a sink that writes to a report.
package sinktest
