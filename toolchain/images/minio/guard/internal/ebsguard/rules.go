// Package ebsguard decides which S3 requests MinIO must not see. It uses the standard library only, so that it can be
// compiled and tested without MinIO. The file cmd/ebs-guard.go puts it in front of MinIO's handlers.
package ebsguard

import "net/http"

// Rule names what is refused. config/guard-rules.ts lists the same names with what each closes.
type Rule string

const (
	UnsignedStreaming Rule = "unsigned-streaming"
	ArchiveUpload     Rule = "archive-upload"
	InternalHeader    Rule = "internal-header"
	ReplicaClaim      Rule = "replica-claim"
	VersionOnWrite    Rule = "version-on-write"
	UnsignedHeader    Rule = "unsigned-header"
	RetentionBypass   Rule = "retention-bypass"
	LegalHoldAlone    Rule = "legal-hold-alone"
	FormUpload        Rule = "form-upload"
	DuplicatePart     Rule = "duplicate-part"
	Select            Rule = "select"
	RepeatedParameter Rule = "repeated-parameter"
	MalformedQuery    Rule = "malformed-query"
	ConditionName     Rule = "condition-name"
	ForceDelete       Rule = "force-delete"
)

// Refusal is the S3 error of a refused request.
type Refusal struct {
	Rule    Rule
	Code    string
	Status  int
	Message string
}

// longest name of a client that a message repeats, in bytes
const maxNameLength = 80

func denied(rule Rule, message string) *Refusal {
	return &Refusal{rule, "AccessDenied", http.StatusForbidden, text(rule, message)}
}

func invalid(rule Rule, message string) *Refusal {
	return &Refusal{rule, "InvalidRequest", http.StatusBadRequest, text(rule, message)}
}

func text(rule Rule, message string) string {
	return "refused by the rule " + string(rule) + " of ebs-guard: " + message
}

func short(name string) string {
	if len(name) > maxNameLength {
		return name[:maxNameLength] + "..."
	}
	return name
}
