package render

import (
	"encoding/json"

	"github.com/filelessd/filelessd/pkg/report"
)

// ocsfVersion is the version of the schema that a document names: consumers choose by it how to read
// the rest. Later minor versions only add to it.
const ocsfVersion = "1.5.0"

// The class Detection Finding and its objects, as far as a report has something for them. Times are
// milliseconds since 1970. What is empty is left out: an attribute that is there says something.
type (
	ocsfFinding struct {
		ActivityID   int              `json:"activity_id"`
		ActivityName string           `json:"activity_name"`
		CategoryUID  int              `json:"category_uid"`
		CategoryName string           `json:"category_name"`
		ClassUID     int              `json:"class_uid"`
		ClassName    string           `json:"class_name"`
		TypeUID      int              `json:"type_uid"`
		TypeName     string           `json:"type_name"`
		Time         int64            `json:"time"`
		StartTime    int64            `json:"start_time,omitempty"`
		EndTime      int64            `json:"end_time,omitempty"`
		Count        int              `json:"count,omitempty"`
		SeverityID   int              `json:"severity_id"`
		Severity     string           `json:"severity"`
		StatusID     int              `json:"status_id,omitempty"`
		Status       string           `json:"status,omitempty"`
		IsAlert      bool             `json:"is_alert"`
		ConfidenceID int              `json:"confidence_id,omitempty"`
		Confidence   string           `json:"confidence,omitempty"`
		RiskScore    *int             `json:"risk_score,omitempty"`
		Message      string           `json:"message,omitempty"`
		Metadata     ocsfMetadata     `json:"metadata"`
		FindingInfo  ocsfFindingInfo  `json:"finding_info"`
		Device       *ocsfDevice      `json:"device,omitempty"`
		Evidences    []ocsfEvidence   `json:"evidences,omitempty"`
		Resources    []ocsfResource   `json:"resources,omitempty"`
		Observables  []ocsfObservable `json:"observables,omitempty"`
		Remediation  *ocsfRemediation `json:"remediation,omitempty"`
		Unmapped     ocsfUnmapped     `json:"unmapped"`
	}
	ocsfMetadata struct {
		Version      string      `json:"version"`
		UID          string      `json:"uid,omitempty"`
		Product      ocsfProduct `json:"product"`
		LogProvider  string      `json:"log_provider,omitempty"`
		LogName      string      `json:"log_name,omitempty"`
		OriginalTime string      `json:"original_time,omitempty"`
		LoggedTime   int64       `json:"logged_time,omitempty"`
		Labels       []string    `json:"labels,omitempty"`
	}
	ocsfProduct struct {
		Name       string `json:"name"`
		VendorName string `json:"vendor_name"`
		Version    string `json:"version,omitempty"`
	}
	ocsfFindingInfo struct {
		UID           string        `json:"uid"`
		Title         string        `json:"title,omitempty"`
		Desc          string        `json:"desc,omitempty"`
		Types         []string      `json:"types,omitempty"`
		CreatedTime   int64         `json:"created_time,omitempty"`
		ModifiedTime  int64         `json:"modified_time,omitempty"`
		FirstSeenTime int64         `json:"first_seen_time,omitempty"`
		LastSeenTime  int64         `json:"last_seen_time,omitempty"`
		DataSources   []string      `json:"data_sources,omitempty"`
		Analytic      *ocsfAnalytic `json:"analytic,omitempty"`
		Attacks       []ocsfAttack  `json:"attacks,omitempty"`
	}
	ocsfAnalytic struct {
		TypeID int    `json:"type_id"`
		Type   string `json:"type"`
		Name   string `json:"name"`
	}
	ocsfAttack struct {
		Version      string     `json:"version,omitempty"`
		Tactic       *ocsfNamed `json:"tactic,omitempty"`
		Technique    *ocsfNamed `json:"technique,omitempty"`
		SubTechnique *ocsfNamed `json:"sub_technique,omitempty"`
	}
	ocsfNamed struct {
		UID  string `json:"uid,omitempty"`
		Name string `json:"name,omitempty"`
	}
	ocsfDevice struct {
		TypeID   int    `json:"type_id"`
		Type     string `json:"type"`
		Hostname string `json:"hostname"`
	}
	ocsfEvidence struct {
		VerdictID int             `json:"verdict_id,omitempty"`
		Verdict   string          `json:"verdict,omitempty"`
		Process   *ocsfProcess    `json:"process,omitempty"`
		User      *ocsfUser       `json:"user,omitempty"`
		Container *ocsfContainer  `json:"container,omitempty"`
		Device    *ocsfDevice     `json:"device,omitempty"`
		Data      json.RawMessage `json:"data,omitempty"`
	}
	ocsfProcess struct {
		UID              string       `json:"uid,omitempty"`
		PID              *int64       `json:"pid,omitempty"`
		Name             string       `json:"name,omitempty"`
		CmdLine          string       `json:"cmd_line,omitempty"`
		Path             string       `json:"path,omitempty"`
		WorkingDirectory string       `json:"working_directory,omitempty"`
		File             *ocsfFile    `json:"file,omitempty"`
		User             *ocsfUser    `json:"user,omitempty"`
		ParentProcess    *ocsfProcess `json:"parent_process,omitempty"`
		Ancestry         []ocsfEntity `json:"ancestry,omitempty"`
	}
	ocsfEntity struct {
		PID     *int64 `json:"pid,omitempty"`
		Name    string `json:"name,omitempty"`
		CmdLine string `json:"cmd_line,omitempty"`
		Path    string `json:"path,omitempty"`
	}
	ocsfFile struct {
		TypeID    int    `json:"type_id"`
		Type      string `json:"type"`
		Name      string `json:"name"`
		Path      string `json:"path"`
		IsDeleted bool   `json:"is_deleted,omitempty"`
	}
	ocsfUser struct {
		UID  string `json:"uid,omitempty"`
		Name string `json:"name,omitempty"`
	}
	ocsfContainer struct {
		UID          string     `json:"uid,omitempty"`
		Name         string     `json:"name,omitempty"`
		Runtime      string     `json:"runtime,omitempty"`
		Orchestrator string     `json:"orchestrator,omitempty"`
		Image        *ocsfNamed `json:"image,omitempty"`
	}
	ocsfResource struct {
		Type      string `json:"type"`
		UID       string `json:"uid,omitempty"`
		Name      string `json:"name,omitempty"`
		Namespace string `json:"namespace,omitempty"`
		Version   string `json:"version,omitempty"`
	}
	ocsfObservable struct {
		Name   string `json:"name"`
		TypeID int    `json:"type_id"`
		Type   string `json:"type"`
		Value  string `json:"value"`
	}
	ocsfRemediation struct {
		Desc string `json:"desc"`
	}
	// ocsfUnmapped has what the schema has no name for: our judgement, and the whole alert.
	ocsfUnmapped struct {
		Filelessd judgement       `json:"filelessd"`
		Falco     json.RawMessage `json:"falco,omitempty"`
	}
)

// caption is a value of an enumeration with the words that the schema has for it.
type caption struct {
	id   int
	text string
}

var ocsfActivities = map[bool]caption{ // whether it updates a finding
	false: {1, "Create"},
	true:  {2, "Update"},
}

var ocsfSeverities = map[report.Severity]caption{
	report.Info:     {1, "Informational"},
	report.Low:      {2, "Low"},
	report.Medium:   {3, "Medium"},
	report.High:     {4, "High"},
	report.Critical: {5, "Critical"},
	"":              {0, "Unknown"},
}

var ocsfConfidences = map[report.Confidence]caption{
	report.LowConfidence:    {1, "Low"},
	report.MediumConfidence: {2, "Medium"},
	report.HighConfidence:   {3, "High"},
}

// ocsfVerdicts has no True Positive: that is for whoever looked into it. unmapped has our own word.
var ocsfVerdicts = map[report.Verdict]caption{
	report.Test:            {6, "Test"},
	report.BenignLikely:    {5, "Benign"},
	report.Suspicious:      {4, "Suspicious"},
	report.MaliciousLikely: {8, "Security Risk"},
}
