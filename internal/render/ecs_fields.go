package render

// ecsVersion is the version of the Elastic Common Schema that the documents follow.
const ecsVersion = "9.4.0"

// The fields of the schema that a report has something for. What is unknown is left out. Our own
// fields are below filelessd, which the schema leaves to custom fields.
type (
	ecsDocument struct {
		Timestamp    string           `json:"@timestamp,omitempty"`
		ECS          ecsSchema        `json:"ecs"`
		Message      string           `json:"message,omitempty"`
		Tags         []string         `json:"tags,omitempty"`
		Event        ecsEvent         `json:"event"`
		Rule         *ecsRule         `json:"rule,omitempty"`
		Threat       *ecsThreat       `json:"threat,omitempty"`
		Process      *ecsProcess      `json:"process,omitempty"`
		User         *ecsUser         `json:"user,omitempty"`
		Host         *ecsHost         `json:"host,omitempty"`
		Container    *ecsContainer    `json:"container,omitempty"`
		Orchestrator *ecsOrchestrator `json:"orchestrator,omitempty"`
		Observer     ecsObserver      `json:"observer"`
		Related      *ecsRelated      `json:"related,omitempty"`
		Filelessd    ecsOwn           `json:"filelessd"`
	}
	ecsSchema struct {
		Version string `json:"version"`
	}
	ecsEvent struct {
		Kind      string   `json:"kind"`
		Category  []string `json:"category,omitempty"`
		Type      []string `json:"type,omitempty"`
		Action    string   `json:"action,omitempty"`
		Outcome   string   `json:"outcome,omitempty"`
		Severity  int      `json:"severity,omitempty"`
		RiskScore *float64 `json:"risk_score,omitempty"`
		RiskNorm  *float64 `json:"risk_score_norm,omitempty"`
		ID        string   `json:"id"`
		Created   string   `json:"created,omitempty"`
		Start     string   `json:"start,omitempty"`
		End       string   `json:"end,omitempty"`
		Dataset   string   `json:"dataset"`
		Module    string   `json:"module"`
		Provider  string   `json:"provider"`
		Reason    string   `json:"reason,omitempty"`
	}
	ecsRule struct {
		Name string `json:"name"`
	}
	ecsThreat struct {
		Framework string       `json:"framework"`
		Tactic    ecsTactics   `json:"tactic,omitzero"`
		Technique ecsTechnique `json:"technique"`
	}
	ecsTactics struct {
		ID   []string `json:"id,omitempty"`
		Name []string `json:"name,omitempty"`
	}
	ecsTechnique struct {
		ID           []string    `json:"id"`
		Name         []string    `json:"name,omitempty"`
		SubTechnique *ecsTactics `json:"subtechnique,omitempty"`
	}
	ecsProcess struct {
		PID              *int64      `json:"pid,omitempty"`
		Name             string      `json:"name,omitempty"`
		Executable       string      `json:"executable,omitempty"`
		CommandLine      string      `json:"command_line,omitempty"`
		WorkingDirectory string      `json:"working_directory,omitempty"`
		Thread           *ecsThread  `json:"thread,omitempty"`
		TTY              *ecsTTY     `json:"tty,omitempty"`
		Parent           *ecsProcess `json:"parent,omitempty"`
	}
	ecsThread struct {
		ID *int64 `json:"id"`
	}
	ecsTTY struct {
		CharDevice ecsDevice `json:"char_device"`
	}
	ecsDevice struct {
		Major int64 `json:"major"`
		Minor int64 `json:"minor"`
	}
	ecsUser struct {
		ID   string `json:"id,omitempty"`
		Name string `json:"name,omitempty"`
	}
	ecsHost struct {
		Hostname string `json:"hostname"`
		Name     string `json:"name"`
	}
	ecsContainer struct {
		ID       string       `json:"id,omitempty"`
		Name     string       `json:"name,omitempty"`
		Runtime  string       `json:"runtime,omitempty"`
		Image    *ecsImage    `json:"image,omitempty"`
		Security *ecsSecurity `json:"security_context,omitempty"`
	}
	ecsImage struct {
		Name string     `json:"name,omitempty"`
		Tag  []string   `json:"tag,omitempty"`
		Hash *ecsHashes `json:"hash,omitempty"`
	}
	ecsHashes struct {
		All []string `json:"all"`
	}
	ecsSecurity struct {
		Privileged *bool `json:"privileged"`
	}
	ecsOrchestrator struct {
		Type      string       `json:"type"`
		Namespace string       `json:"namespace,omitempty"`
		Resource  *ecsResource `json:"resource,omitempty"`
	}
	ecsResource struct {
		Type string `json:"type"`
		Name string `json:"name,omitempty"`
		ID   string `json:"id,omitempty"`
	}
	ecsObserver struct {
		Product string `json:"product"`
		Vendor  string `json:"vendor"`
		Version string `json:"version,omitempty"`
	}
	ecsRelated struct {
		Hosts []string `json:"hosts,omitempty"`
		User  []string `json:"user,omitempty"`
		Hash  []string `json:"hash,omitempty"`
	}
	ecsOwn struct {
		judgement
		Advice []string  `json:"advice,omitempty"`
		Group  *ecsGroup `json:"group,omitempty"`
		Falco  *ecsFalco `json:"falco,omitempty"`
	}
	ecsGroup struct {
		Count      int      `json:"count"`
		Rules      []string `json:"rules,omitempty"`
		Hosts      []string `json:"hosts,omitempty"`
		Containers []string `json:"containers,omitempty"`
	}
	// ecsFalco is the rest of the alert. The fields are a list, not an object: each name of Falco's
	// would become a field of the index, and names such as evt.arg and evt.arg.flags exclude each
	// other there.
	ecsFalco struct {
		Priority string     `json:"priority,omitempty"`
		Source   string     `json:"source,omitempty"`
		Output   string     `json:"output,omitempty"`
		Fields   []ecsField `json:"fields,omitempty"`
		// Bytes is base64 of what is not UTF-8 of the rest: hostname, output, rule, source.
		Bytes map[string]string `json:"base64,omitempty"`
	}
	ecsField struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		Bytes string `json:"base64,omitempty"` // if it is not UTF-8
	}
)
