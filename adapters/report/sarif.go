package report

import (
	"io"
	"net/url"
	"path/filepath"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/domain"
)

// The parts of SARIF 2.1.0 (OASIS) that are used, sections 3.13 to 3.29 and 3.49.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string             `json:"id"`
		ShortDescription     sarifText          `json:"shortDescription"`
		Help                 sarifText          `json:"help"`
		DefaultConfiguration sarifConfiguration `json:"defaultConfiguration"`
	}
	sarifConfiguration struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

// CheckSARIF writes the results in the Static Analysis Results Interchange Format 2.1.0,
// for code scanning. The version is that of the program.
func CheckSARIF(w io.Writer, files []File, rules []domain.Rule, version string) error {
	contract := domain.Rule{
		ID: contract.RuleContract, Source: contract.SourceContract, Level: domain.Violation,
		Summary: "the configuration does not match the types, limits or field names of openapi.yaml",
	}
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "clientele", Version: version, InformationURI: "https://github.com/clientele-oauth/clientele",
		}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: true}},
		Results:     []sarifResult{},
	}
	index := map[string]int{}
	for i, r := range append(rules, contract) {
		index[r.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID:                   r.ID,
			ShortDescription:     sarifText{"Violated when " + r.Summary},
			Help:                 sarifText{"Source: " + r.Source},
			DefaultConfiguration: sarifConfiguration{sarifLevel(r.Level)},
		})
	}
	for _, f := range files {
		if f.Failure != nil {
			invocation := &run.Invocations[0]
			invocation.ExecutionSuccessful = false
			invocation.Notifications = append(invocation.Notifications, sarifNotification{
				Level: "error", Message: sarifText{f.Failure.Error()}, Locations: []sarifLocation{sarifPosition(f.Name, f.FailureLine)},
			})
		}
		for _, c := range f.Clients {
			for _, finding := range c.Findings {
				at := sarifPosition(f.Name, finding.Line)
				at.Logical = []sarifLogical{{FullyQualifiedName: c.ClientID + finding.Pointer, Kind: "member"}}
				run.Results = append(run.Results, sarifResult{
					RuleID: finding.Rule, RuleIndex: index[finding.Rule], Level: sarifLevel(finding.Level),
					Message:   sarifText{finding.Message + " (" + finding.Source + ")"},
					Locations: []sarifLocation{at},
				})
			}
		}
	}
	return indented(w, sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

func sarifLevel(l domain.Level) string {
	if l == domain.Violation {
		return "error"
	}
	return "warning"
}

func sarifPosition(file string, line int) sarifLocation {
	uri := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		uri.Scheme = "file"
	}
	at := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{URI: uri.String()}}}
	if line > 0 {
		at.Physical.Region = &sarifRegion{StartLine: line}
	}
	return at
}
