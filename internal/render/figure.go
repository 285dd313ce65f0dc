package render

// What follows is for formats that draw. All that it shows stands in words and tables beside it, so
// other formats leave it out.

// banner is the first thing a reader sees: the verdict in words and in its colour.
type banner struct {
	tone  tone
	kind  string // of page
	words line
	notes []line
}

// tone is what a colour stands for.
type tone int

const (
	neutral   tone = iota
	tested         // a test of the sensor
	calm           // probably harmless
	wary           // suspicious, or something is amiss with filelessd itself
	alarmed        // probably malicious
	toneCount int  = iota
)

// rail is stops along a line from top to bottom: processes, or moments.
type rail struct {
	id    string // unique on a page
	title string
	about string // the figure in a sentence
	stops []stop
}

type stop struct {
	mark   mark
	head   span
	aside  string // behind the head
	lines  []span // below the head
	broken bool   // what leads to the next stop is not known to be all
	band   string // what this stop lies in; stops in the same one that follow each other share it
	tint   bool   // the band is the one to look at
}

type mark int

const (
	filled mark = iota // known
	hollow             // not known, or expected
	target             // what the report is about
)

// ledger is the steps from nothing to the score.
type ledger struct {
	about string
	steps []step
	score int
	tone  tone
}

type step struct {
	name   string
	points int
}

func (banner) isBlock() {}
func (rail) isBlock()   {}
func (ledger) isBlock() {}
