package render

import (
	"slices"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// ECS writes r as one line of JSON without a newline: a document by the Elastic Common Schema.
//
// event.ingested is left to whoever ingests it, and event.original is left out: a report is no copy
// of the bytes that Falco sent.
func ECS(r *report.Report) ([]byte, error) {
	d := ecsDocument{
		Timestamp: ecsTime(happened(r)), ECS: ecsSchema{ecsVersion}, Message: r.Title, Event: ecsEventOf(r),
		Threat:   ecsThreatOf(r.Attack),
		Observer: ecsObserver{Product: "filelessd", Vendor: "filelessd", Version: r.Analysis.Version},
		Filelessd: ecsOwn{
			judgement: judge(r), Advice: advice(r), Falco: ecsFalcoOf(r.Event),
		},
	}
	if g := r.Group; g != nil {
		d.Event.Start, d.Event.End = ecsTime(g.FirstTime), ecsTime(g.LastTime)
		d.Filelessd.Group = &ecsGroup{Count: g.Count, Rules: g.Rules, Hosts: g.Hosts, Containers: g.Containers}
	}
	if e := r.Event; e != nil {
		d.Tags = e.Tags
		if e.Rule != "" {
			d.Rule = &ecsRule{e.Rule}
		}
		d.Process, d.User, d.Host = ecsProcessOf(e), ecsUserOf(e), ecsHostOf(e)
		d.Container, d.Orchestrator = ecsContainerOf(e), ecsOrchestratorOf(e)
		d.Related = ecsRelatedOf(&d)
	}
	return machineJSON(&d)
}

// ecsTime is empty for no time, and for one that a date of an index can not hold.
func ecsTime(t time.Time) string {
	if t.IsZero() || t.UTC().Year() < 0 || t.UTC().Year() > 9999 {
		return ""
	}
	return event.FormatTime(t)
}

// ecsEventOf classifies the report. Only what is about an attack has a category: the schema has none
// for what filelessd says of itself.
func ecsEventOf(r *report.Report) ecsEvent {
	e := ecsEvent{
		Kind: "event", ID: r.ID, Dataset: "filelessd.reports", Module: "filelessd", Provider: "filelessd",
		Action: string(r.Kind), Reason: r.Summary, Created: ecsTime(r.CreatedAt),
	}
	if rank := r.Severity.Rank(); rank >= 0 {
		e.Severity = rank + 1 // 1 info to 5 critical, the numbers of OCSF
	}
	if score := scored(r); score != nil {
		risk := float64(*score)
		e.RiskScore, e.RiskNorm = &risk, &risk
	}
	switch r.Kind {
	case report.KindAlert, report.KindSummary:
		e.Kind, e.Category = "alert", []string{"intrusion_detection", "process"}
		e.Type = []string{"info"}
	case report.KindLoss, report.KindQuiet:
		e.Kind = "alert"
	}
	if r.Event == nil {
		return e
	}
	e.Provider = "falco"
	if r.Technique != "" {
		e.Action = string(r.Technique)
	}
	switch valueOf(r.Event, "evt.res") {
	case "":
	case "SUCCESS", "0":
		e.Outcome = "success"
	default:
		e.Outcome = "failure"
	}
	switch valueOf(r.Event, "evt.type") {
	case "execve", "execveat":
		if e.Outcome != "failure" && len(e.Type) > 0 {
			e.Type = append(e.Type, "start")
		}
	}
	return e
}

// ecsThreatOf has each technique and tactic once. Names of tactics changed between versions of
// ATT&CK: both stand, beside the same ID.
func ecsThreatOf(attack []report.Attack) *ecsThreat {
	if len(attack) == 0 {
		return nil
	}
	t := ecsThreat{Framework: "MITRE ATT&CK"}
	for _, a := range attack {
		parent, parentName, sub, subName := subTechnique(a)
		t.Technique.ID = with(t.Technique.ID, parent)
		t.Technique.Name = with(t.Technique.Name, parentName)
		if sub != "" {
			if t.Technique.SubTechnique == nil {
				t.Technique.SubTechnique = new(ecsTactics)
			}
			t.Technique.SubTechnique.ID = with(t.Technique.SubTechnique.ID, sub)
			t.Technique.SubTechnique.Name = with(t.Technique.SubTechnique.Name, subName)
		}
		for _, tactic := range a.Tactics {
			t.Tactic.ID = with(t.Tactic.ID, tactic.ID)
			t.Tactic.Name = with(t.Tactic.Name, tactic.Name)
		}
	}
	return &t
}

// with adds s to list, unless it is empty or there.
func with(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func ecsProcessOf(e *event.Event) *ecsProcess {
	p := ecsProcess{
		PID: number(e, "proc.pid"), Name: valueOf(e, "proc.name"), Executable: valueOf(e, "proc.exepath"),
		CommandLine: valueOf(e, "proc.cmdline"), WorkingDirectory: valueOf(e, "proc.cwd"), TTY: ecsTTYOf(e),
	}
	if tid := number(e, "thread.tid"); tid != nil {
		p.Thread = &ecsThread{tid}
	}
	parent := ecsProcess{
		PID: number(e, "proc.ppid"), Name: valueOf(e, "proc.pname"), Executable: valueOf(e, "proc.pexepath"),
		CommandLine: valueOf(e, "proc.pcmdline"),
	}
	if parent != (ecsProcess{}) {
		p.Parent = &parent
	}
	if p == (ecsProcess{}) {
		return nil
	}
	return &p
}

// ecsTTYOf takes the number of the terminal's device apart, as makedev(3) puts it together. 0 means
// that there is no terminal.
func ecsTTYOf(e *event.Event) *ecsTTY {
	n := number(e, "proc.tty")
	if n == nil || *n <= 0 || *n > 1<<32 {
		return nil
	}
	return &ecsTTY{ecsDevice{Major: *n >> 8 & 0xfff, Minor: *n&0xff | *n>>12&0xfff00}}
}

func ecsUserOf(e *event.Event) *ecsUser {
	u := ecsUser{ID: valueOf(e, "user.uid"), Name: valueOf(e, "user.name")}
	if u == (ecsUser{}) {
		return nil
	}
	return &u
}

func ecsHostOf(e *event.Event) *ecsHost {
	if e.Hostname == "" {
		return nil
	}
	return &ecsHost{Hostname: e.Hostname, Name: e.Hostname}
}

func ecsContainerOf(e *event.Event) *ecsContainer {
	c := ecsContainer{ID: containerID(e), Name: inContainer(e, "container.name")}
	if c == (ecsContainer{}) {
		return nil
	}
	c.Runtime = inContainer(e, "container.type")
	image := ecsImage{Name: inContainer(e, "container.image.repository")}
	image.Tag = with(nil, inContainer(e, "container.image.tag"))
	if digest := imageDigest(e); digest != "" {
		image.Hash = &ecsHashes{[]string{"sha256:" + digest}}
	}
	if image.Name != "" || image.Tag != nil || image.Hash != nil {
		c.Image = &image
	}
	if privileged := boolean(e, "container.privileged"); privileged != nil {
		c.Security = &ecsSecurity{privileged}
	}
	return &c
}

func ecsOrchestratorOf(e *event.Event) *ecsOrchestrator {
	namespace, pod, uid := valueOf(e, "k8s.ns.name"), valueOf(e, "k8s.pod.name"), valueOf(e, "k8s.pod.uid")
	if namespace == "" && pod == "" {
		return nil
	}
	o := ecsOrchestrator{Type: "kubernetes", Namespace: namespace}
	if pod != "" {
		o.Resource = &ecsResource{Type: "pod", Name: pod, ID: uid}
	}
	return &o
}

func ecsRelatedOf(d *ecsDocument) *ecsRelated {
	var r ecsRelated
	if d.Host != nil {
		r.Hosts = with(r.Hosts, d.Host.Hostname)
	}
	if d.User != nil {
		r.User = with(with(r.User, d.User.Name), d.User.ID)
	}
	if d.Container != nil && d.Container.Image != nil && d.Container.Image.Hash != nil {
		for _, hash := range d.Container.Image.Hash.All {
			r.Hash = with(r.Hash, strings.TrimPrefix(hash, "sha256:"))
		}
	}
	if r.Hosts == nil && r.User == nil && r.Hash == nil {
		return nil
	}
	return &r
}

func ecsFalcoOf(e *event.Event) *ecsFalco {
	if e == nil {
		return nil
	}
	f := ecsFalco{Priority: e.Priority.String(), Source: e.Source, Output: e.Output}
	f.Bytes = exactBytes(e)
	for name, value := range e.Fields() {
		f.Fields = append(f.Fields, ecsField{name, value, f.Bytes[name]})
		delete(f.Bytes, name)
	}
	return &f
}
