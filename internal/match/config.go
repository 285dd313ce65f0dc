package match

import "time"

// Config is what an operator adds to the embedded knowledge.
type Config struct {
	// Extended switches on the techniques beyond execution from memory: injection, preloading,
	// loader code on a command line.
	Extended bool `yaml:"extended"`
	// Rules are techniques that an operator recognises by an expression of their own.
	Rules []Rule `yaml:"rules"`
	// Allow lists exact combinations that an operator vouches for. They lower the score (L6) and
	// never suppress a report.
	Allow []Allow `yaml:"allow"`
	// NetworkServices are more names of network-facing services for factor R4.
	NetworkServices []string `yaml:"network_services"`
	// Lab lists the names of hosts that are labs, for factor L10.
	Lab []string `yaml:"lab"`
}

// Rule says that an event is an instance of a technique.
type Rule struct {
	ID        string `yaml:"id"`
	Technique string `yaml:"technique"` // an ID of the taxonomy
	When      string `yaml:"when"`      // an expression over the event
	Reason    string `yaml:"reason"`
}

// Allow is an exact combination that an operator vouches for. An unknown value never matches.
type Allow struct {
	ID          string    `yaml:"id"`
	ImageDigest string    `yaml:"image_digest"` // container.image.digest
	ParentPath  string    `yaml:"parent_path"`  // proc.pexepath
	Args        string    `yaml:"args"`         // proc.args; may be empty for none
	Owner       string    `yaml:"owner"`
	Reason      string    `yaml:"reason"`
	Expires     time.Time `yaml:"expires"` // the entry means nothing after it
}

// DefaultConfig is what a configuration starts from.
func DefaultConfig() Config { return Config{Extended: true} }
