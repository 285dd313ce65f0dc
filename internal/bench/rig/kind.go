package rig

import (
	"bytes"
	"encoding/json"
)

// kindAlert is what a delivery is if it does not say otherwise.
const kindAlert = "alert"

// kindOf returns the kind of a filelessd report, and of a summary how many alerts it stands for. What is no report
// of filelessd counts as an alert.
func kindOf(body []byte) (kind string, members int) {
	head := body[:min(len(body), 200)]
	_, rest, found := bytes.Cut(head, []byte(`"kind":"`))
	if !found {
		return kindAlert, 0
	}
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	if string(name) == kindAlert {
		return kindAlert, 0
	}
	var report struct {
		Group *struct {
			Count int `json:"count"`
		} `json:"group"`
	}
	if json.Unmarshal(body, &report) == nil && report.Group != nil {
		members = report.Group.Count
	}
	return string(name), members
}
