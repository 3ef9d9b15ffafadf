package ebsguard

import (
	"net/http"
	"net/url"
	"strings"
)

// Request is what a decision needs to know of an S3 request.
type Request struct {
	Method string
	// Route has the names of the query parameters by which MinIO chose its handler: a request may carry others, too,
	// which the handler does not look for.
	Route []string
	// Object tells requests for an object from those for a bucket.
	Object bool
	Header http.Header
	// RawQuery is the query as it came.
	RawQuery string
}

// prefixes of what only MinIO servers send each other; never one of x-amz-meta- or x-minio-meta-
var internalPrefixes = []string{
	"x-minio-internal-", "x-minio-replication-", "x-minio-source-", "x-minio-check-replication-", "x-minio-fanout-",
}

const (
	replicationStatus = "x-amz-replication-status"
	archiveExtract    = "x-amz-meta-snowball-auto-extract"
	contentSHA256     = "X-Amz-Content-Sha256"
	signatureV4       = "AWS4-HMAC-SHA256"
	bypassGovernance  = "X-Amz-Bypass-Governance-Retention"
	legalHold         = "X-Amz-Object-Lock-Legal-Hold"
	retentionMode     = "X-Amz-Object-Lock-Mode"
	retentionDate     = "X-Amz-Object-Lock-Retain-Until-Date"
	copySource        = "X-Amz-Copy-Source"
	forceDelete       = "X-Minio-Force-Delete"
)

// Decide looks at everything but the body and the state of the server.
func Decide(r Request) *Refusal {
	query, err := url.ParseQuery(r.RawQuery)
	if err != nil {
		return invalid(MalformedQuery, "the query cannot be parsed: every & separates a name=value, with % escapes")
	}
	for _, rule := range []func(Request, url.Values) *Refusal{
		internalNames, repeatedParameters, unsignedStreaming, archiveUploads, selects, versionOnWrites, unsignedHeaders,
		anonymousLocks, conditionNames,
	} {
		if refusal := rule(r, query); refusal != nil {
			return refusal
		}
	}
	return nil
}

func internalNames(r Request, query url.Values) *Refusal {
	for name := range r.Header {
		if refusal := internalName("header", name); refusal != nil {
			return refusal
		}
	}
	for name := range query {
		if refusal := internalName("query parameter", name); refusal != nil {
			return refusal
		}
	}
	return nil
}

func internalName(where, name string) *Refusal {
	lower := strings.ToLower(strings.TrimSpace(name))
	if lower == replicationStatus {
		return denied(ReplicaClaim, "the "+where+" "+short(lower)+" claims that the object is a replica, and no other server may write here")
	}
	for _, prefix := range internalPrefixes {
		if strings.HasPrefix(lower, prefix) {
			return denied(InternalHeader, "the "+where+" "+short(lower)+" is for MinIO servers among themselves, and no other server may write here")
		}
	}
	return nil
}

// what the policies of MinIO know of a request under these names; in lower case
func conditionName(name string) bool {
	switch name {
	case "prefix", "delimiter", "max-keys", "versionid", "sourceip", "securetransport", "currenttime", "epochtime",
		"username", "userid", "principaltype", "groups", "signatureversion", "signatureage", "authtype", "useragent",
		"locationconstraint", "requestobjecttagkeys":
		return true
	}
	return strings.HasPrefix(name, "object-lock-") || strings.HasPrefix(name, "existingobjecttag/") ||
		strings.HasPrefix(name, "requestobjecttag/")
}

// conditionNames refuses what MinIO would take for a fact about the request: it looks for the value of a condition among
// headers and parameters first, in whatever case.
func conditionNames(r Request, query url.Values) *Refusal {
	for name := range r.Header {
		if lower := strings.ToLower(name); conditionName(lower) {
			return denied(ConditionName, "the header "+short(lower)+" has the name of a policy condition, which the server alone decides about")
		}
	}
	for name := range query {
		switch name {
		case "prefix", "delimiter", "max-keys", "versionId":
			continue
		}
		if lower := strings.ToLower(name); conditionName(lower) {
			return denied(ConditionName, "the query parameter "+short(name)+" has the name of a policy condition, which the server alone decides about")
		}
	}
	return nil
}

// what decides about a request and must not be there twice; names in lower case
func singleHeader(name string) bool {
	switch name {
	case "authorization", "content-md5", "content-type":
		return true
	case "x-amz-object-attributes", "x-amz-trailer":
		return false
	}
	return strings.HasPrefix(name, "x-amz-") && !strings.HasPrefix(name, "x-amz-meta-")
}

func singleParameter(name string) bool {
	switch name {
	case "versionid", "uploadid", "partnumber", "awsaccesskeyid", "signature", "expires", "prefix", "delimiter", "max-keys":
		return true
	}
	return strings.HasPrefix(name, "x-amz-") && !strings.HasPrefix(name, "x-amz-meta-")
}

func repeatedParameters(r Request, query url.Values) *Refusal {
	if name := repeated(r.Header, singleHeader); name != "" {
		return invalid(RepeatedParameter, "the header "+short(name)+" is there more than once; send it once")
	}
	if name := repeated(query, singleParameter); name != "" {
		return invalid(RepeatedParameter, "the query parameter "+short(name)+" is there more than once; send it once")
	}
	return nil
}

// names are the same in whatever case
func repeated(values map[string][]string, single func(string) bool) string {
	counts := make(map[string]int)
	for name, all := range values {
		lower := strings.ToLower(name)
		if !single(lower) {
			continue
		}
		counts[lower] += len(all)
		if counts[lower] > 1 {
			return lower
		}
	}
	return ""
}

func unsignedStreaming(r Request, query url.Values) *Refusal {
	if !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(r.Header.Get(contentSHA256))), "STREAMING-") {
		return nil
	}
	if strings.HasPrefix(r.Header.Get("Authorization"), signatureV4) && !presigned(query) {
		return nil
	}
	return denied(UnsignedStreaming, "a body in chunks needs an Authorization header with a signature of version 4")
}

// presigned is true for everything that MinIO could take for a presigned request.
func presigned(query url.Values) bool {
	return has(query, "x-amz-credential") || has(query, "x-amz-signature") || has(query, "awsaccesskeyid")
}

func has(query url.Values, lower string) bool {
	for name := range query {
		if strings.EqualFold(name, lower) {
			return true
		}
	}
	return false
}

func archiveUploads(r Request, _ url.Values) *Refusal {
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		return nil
	}
	for name := range r.Header {
		if strings.EqualFold(name, archiveExtract) {
			return denied(ArchiveUpload, "the header "+archiveExtract+" asks to unpack an archive, whose entries nothing verifies; upload the files one by one")
		}
	}
	return nil
}

func selects(r Request, _ url.Values) *Refusal {
	if !r.by("select") {
		return nil
	}
	return denied(Select, "S3 Select can exhaust the server's memory; read the object and filter it on the client")
}

func versionOnWrites(r Request, query url.Values) *Refusal {
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		return nil
	}
	// these act on a version that exists, and MinIO checks its lock
	if r.by("retention") || r.by("legal-hold") || r.by("tagging") || r.by("acl") || r.by("restore") {
		return nil
	}
	for name, values := range query {
		if strings.EqualFold(name, "versionId") && strings.TrimSpace(strings.Join(values, "")) != "" {
			return denied(VersionOnWrite, "a write may not name its versionId: the server gives each version its own")
		}
	}
	return nil
}

// by is true if MinIO chose the handler by this query parameter.
func (r Request) by(name string) bool {
	for _, each := range r.Route {
		if each == name {
			return true
		}
	}
	return false
}

// headers of presigned requests that need no signature: they choose nothing but how the body or the answer is checked
func harmlessUnsigned(name string) bool {
	switch name {
	case "x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-user-agent",
		"x-amz-sdk-checksum-algorithm", "x-amz-request-payer", "x-amz-expected-bucket-owner", "x-amz-object-attributes",
		"x-amz-max-parts", "x-amz-part-number-marker":
		return true
	}
	// MinIO itself refuses metadata that is not signed
	return strings.HasPrefix(name, "x-amz-checksum-") || strings.HasPrefix(name, "x-amz-meta-")
}

func unsignedHeaders(r Request, query url.Values) *Refusal {
	// version 2 signs every x-amz- header
	if !has(query, "x-amz-credential") && !has(query, "x-amz-signature") {
		return nil
	}
	signed := make(map[string]bool)
	for _, name := range strings.Split(query.Get("X-Amz-SignedHeaders"), ";") {
		signed[strings.ToLower(name)] = true
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !harmlessUnsigned(lower) && !signed[lower] {
			return denied(UnsignedHeader, "the header "+short(lower)+" is not among the X-Amz-SignedHeaders of the presigned URL; whoever made the URL has to sign it")
		}
	}
	return nil
}

func anonymousLocks(r Request, query url.Values) *Refusal {
	if !r.LegalHoldAlone() || r.Header.Get("Authorization") != "" || presigned(query) {
		return nil
	}
	return denied(LegalHoldAlone, "a legal hold needs a signed request")
}

// LegalHoldAlone is true for a new object with a legal hold and no retention of its own: MinIO would then leave out the
// default retention of the bucket. The caller refuses it where there is one.
func (r Request) LegalHoldAlone() bool {
	creates := r.Object && (r.Method == http.MethodPut && len(r.Route) == 0 || r.Method == http.MethodPost && r.by("uploads"))
	_, held := r.Header[legalHold]
	return creates && held && (r.Header.Get(retentionMode) == "" || r.Header.Get(retentionDate) == "")
}

// RefuseLegalHoldAlone is the answer where the bucket has a default retention.
func RefuseLegalHoldAlone() *Refusal {
	return invalid(LegalHoldAlone, "with a legal hold MinIO would leave out the default retention of this bucket; set the retention mode and date in the same request, or the legal hold afterwards")
}

// BypassesRetention is true for a retention that asks to lift GOVERNANCE: MinIO asks for the right only where the new
// mode is GOVERNANCE.
func (r Request) BypassesRetention() bool {
	return r.Method == http.MethodPut && r.by("retention") && strings.EqualFold(r.Header.Get(bypassGovernance), "true")
}

// RefuseBypass is the answer to whoever lacks one of both rights.
func RefuseBypass() *Refusal {
	return denied(RetentionBypass, "x-amz-bypass-governance-retention needs both s3:PutObjectRetention and s3:BypassGovernanceRetention")
}

// DeletesByForce is true for a deletion that takes every version with it.
func (r Request) DeletesByForce() bool {
	return r.Method == http.MethodDelete && r.Object && r.Header.Get(forceDelete) != ""
}

// RefuseForceDelete is the answer to whoever may not delete versions.
func RefuseForceDelete() *Refusal {
	return denied(ForceDelete, "x-minio-force-delete deletes every version, and needs s3:DeleteObjectVersion")
}

// CompletesUpload is true for CompleteMultipartUpload.
func (r Request) CompletesUpload() bool {
	return r.Method == http.MethodPost && r.by("uploadId")
}

// RepeatsPart returns a refusal if a part number is there twice.
func RepeatsPart(numbers []int) *Refusal {
	seen := make(map[int]bool, len(numbers))
	for _, number := range numbers {
		if seen[number] {
			return invalid(DuplicatePart, "a part number is listed more than once, which would damage the object; list each part once")
		}
		seen[number] = true
	}
	return nil
}

// DropForwarded removes what clients can say about their own address: MinIO would believe it. No proxy is declared, so
// the address is that of the connection.
func DropForwarded(header http.Header) {
	for name := range header {
		lower := strings.ToLower(name)
		if lower == "forwarded" || lower == "x-real-ip" || strings.HasPrefix(lower, "x-forwarded-") {
			delete(header, name)
		}
	}
}
