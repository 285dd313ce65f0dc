package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// OCSF writes r as one line of JSON without a newline: an event of the class Detection Finding (2004)
// of the Open Cybersecurity Schema Framework.
func OCSF(r *report.Report) ([]byte, error) {
	f := ocsfFinding{
		CategoryUID: 2, CategoryName: "Findings", ClassUID: 2004, ClassName: "Detection Finding",
		Time: millis(happened(r)), RiskScore: scored(r), Message: r.Title,
		Metadata: ocsfMetadataOf(r), FindingInfo: ocsfInfoOf(r), Device: ocsfDeviceOf(r.Event),
		Unmapped: ocsfUnmapped{Filelessd: judge(r)},
	}
	activity := ocsfActivities[r.Kind == report.KindUpdate]
	f.ActivityID, f.ActivityName = activity.id, activity.text
	f.TypeUID = f.ClassUID*100 + f.ActivityID
	f.TypeName = f.ClassName + ": " + f.ActivityName
	if r.Kind != report.KindUpdate {
		f.StatusID, f.Status = 1, "New"
	}
	severity := ocsfSeverities[r.Severity]
	f.SeverityID, f.Severity = severity.id, severity.text
	if severity.text == "" { // not one of ours
		f.SeverityID, f.Severity = 99, string(r.Severity)
	}
	confidence := ocsfConfidences[r.Confidence]
	f.ConfidenceID, f.Confidence = confidence.id, confidence.text
	switch r.Kind {
	case report.KindAlert, report.KindSummary, report.KindLoss, report.KindQuiet:
		f.IsAlert = true
	}
	if g := r.Group; g != nil {
		f.Count, f.StartTime, f.EndTime = g.Count, millis(g.FirstTime), millis(g.LastTime)
	}
	if r.Event != nil {
		f.Unmapped.Falco = r.Event.AppendJSON(nil)
		f.Evidences = []ocsfEvidence{ocsfEvidenceOf(r, f.Unmapped.Falco)}
		f.Resources = ocsfResourcesOf(r.Event)
		f.Observables = ocsfObservablesOf(&f)
	}
	if titles := advice(r); len(titles) > 0 {
		f.Remediation = &ocsfRemediation{Desc: numbered(titles)}
	}
	return machineJSON(&f)
}

// millis is t in milliseconds since 1970, 0 for no time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func numbered(all []string) string {
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d. %s.", i+1, strings.TrimRight(s, "."))
	}
	return b.String()
}

func ocsfMetadataOf(r *report.Report) ocsfMetadata {
	m := ocsfMetadata{
		Version: ocsfVersion, UID: r.ID, LoggedTime: millis(r.CreatedAt),
		Product: ocsfProduct{Name: "filelessd", VendorName: "filelessd", Version: r.Analysis.Version},
	}
	if e := r.Event; e != nil {
		m.LogProvider, m.LogName, m.Labels = "Falco", e.Source, e.Tags
		if !e.Time.IsZero() {
			m.OriginalTime = event.FormatTime(e.Time)
		}
	}
	return m
}

// ocsfInfoOf describes the finding. An update is about a finding of before: that one's id, not the
// update's, joins the two.
func ocsfInfoOf(r *report.Report) ocsfFindingInfo {
	info := ocsfFindingInfo{UID: r.ID, Title: r.Title, Desc: r.Summary, CreatedTime: millis(r.CreatedAt)}
	if r.Kind == report.KindUpdate && len(r.About) > 0 {
		info.UID, info.CreatedTime, info.ModifiedTime = r.About[0], 0, millis(r.CreatedAt)
	}
	info.Types = append(info.Types, string(r.Kind))
	if r.Technique != "" {
		info.Types = append(info.Types, string(r.Technique))
	}
	for _, t := range r.Also {
		info.Types = append(info.Types, string(t))
	}
	if g := r.Group; g != nil {
		info.FirstSeenTime, info.LastSeenTime = millis(g.FirstTime), millis(g.LastTime)
	}
	if e := r.Event; e != nil {
		info.DataSources = []string{"Falco"}
		if e.Rule != "" {
			info.Analytic = &ocsfAnalytic{TypeID: 1, Type: "Rule", Name: e.Rule}
		}
	}
	for _, a := range r.Attack {
		info.Attacks = append(info.Attacks, ocsfAttacksOf(a)...)
	}
	return info
}

// ocsfAttacksOf has an element for each tactic of the technique, in each version of ATT&CK.
func ocsfAttacksOf(a report.Attack) []ocsfAttack {
	parent, parentName, sub, subName := subTechnique(a)
	one := ocsfAttack{Technique: &ocsfNamed{UID: parent, Name: parentName}}
	if sub != "" {
		one.SubTechnique = &ocsfNamed{UID: sub, Name: subName}
	}
	if len(a.Tactics) == 0 {
		return []ocsfAttack{one}
	}
	var all []ocsfAttack
	for _, t := range a.Tactics {
		each := one
		each.Version = strings.TrimPrefix(t.Version, "v")
		each.Tactic = &ocsfNamed{UID: t.ID, Name: t.Name}
		all = append(all, each)
	}
	return all
}

// ocsfEvidenceOf is what set the alert off. Of an alert that tells of no process, such as one of the
// Kubernetes audit log, the alert itself is the evidence.
func ocsfEvidenceOf(r *report.Report, alert json.RawMessage) ocsfEvidence {
	verdict := ocsfVerdicts[r.Verdict]
	evidence := ocsfEvidence{
		VerdictID: verdict.id, Verdict: verdict.text,
		Process: ocsfProcessOf(r.Event, r.ID), User: ocsfUserOf(r.Event),
		Container: ocsfContainerOf(r.Event), Device: ocsfDeviceOf(r.Event),
	}
	if evidence.Process == nil {
		evidence.Data = alert
	}
	return evidence
}

// ocsfObservablesOf points at the values that somebody would search for elsewhere.
func ocsfObservablesOf(f *ocsfFinding) []ocsfObservable {
	var all []ocsfObservable
	add := func(name string, id int, kind, value string) {
		if value != "" {
			all = append(all, ocsfObservable{Name: name, TypeID: id, Type: kind, Value: value})
		}
	}
	if f.Device != nil {
		add("device.hostname", 1, "Hostname", f.Device.Hostname)
	}
	for _, e := range f.Evidences {
		if p := e.Process; p != nil {
			add("evidences.process.name", 9, "Process Name", p.Name)
			add("evidences.process.cmd_line", 13, "Command Line", p.CmdLine)
			if p.PID != nil {
				add("evidences.process.pid", 15, "Process ID", fmt.Sprint(*p.PID))
			}
			if p.File != nil {
				add("evidences.process.file.name", 7, "File Name", p.File.Name)
				add("evidences.process.file.path", 45, "File Path", p.File.Path)
			}
		}
		if e.User != nil {
			add("evidences.user.name", 4, "User Name", e.User.Name)
		}
	}
	return all
}
