package ebsguard

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
)

const signed = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"

// request is written as a client would: "PUT ?query" and one header a line.
func request(line, headers string, route ...string) Request {
	method, query, _ := strings.Cut(line, " ")
	r := Request{Method: method, Object: true, Route: route, RawQuery: strings.TrimPrefix(query, "?"), Header: http.Header{}}
	for _, header := range strings.Split(headers, "\n") {
		if name, value, ok := strings.Cut(header, ":"); ok {
			key := textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
			r.Header[key] = append(r.Header[key], strings.TrimSpace(value))
		}
	}
	return r
}

const presignedQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=key&X-Amz-Signature=0&X-Amz-SignedHeaders="

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		request Request
		rule    Rule
	}{
		"chunks without a signature":                     {request("PUT", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER"), UnsignedStreaming},
		"chunks with the credential in the query":        {request("PUT ?X-Amz-Credential=key", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER"), UnsignedStreaming},
		"chunks with credentials in both":                {request("PUT ?x-amz-credential=key", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nAuthorization: "+signed), UnsignedStreaming},
		"chunks with a token instead of a signature":     {request("PUT", "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nAuthorization: Bearer x"), UnsignedStreaming},
		"chunks with an empty signature":                 {request("PUT", "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nAuthorization:"), UnsignedStreaming},
		"a part in chunks without a signature":           {request("PUT ?partNumber=1&uploadId=u", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "partNumber", "uploadId"), UnsignedStreaming},
		"an archive":                                     {request("PUT", "X-Amz-Meta-Snowball-Auto-Extract: true\nAuthorization: "+signed), ArchiveUpload},
		"an archive, mixed case":                         {request("PUT", "x-aMz-mEta-snowball-auto-extract: xtruex\nAuthorization: "+signed), ArchiveUpload},
		"an internal header":                             {request("PUT", "X-Minio-Replication-Server-Side-Encryption-Sealed-Key: x"), InternalHeader},
		"an internal header of a read":                   {request("GET", "x-minio-source-replication-request: true"), InternalHeader},
		"an internal header without a value":             {request("HEAD", "X-Minio-Source-Replication-Request:"), InternalHeader},
		"an internal header of a deletion":               {request("DELETE", "X-MINIO-SOURCE-DELETEMARKER: true"), InternalHeader},
		"an internal header, reserved":                   {request("PUT", "X-Minio-Internal-Actual-Object-Size: 1"), InternalHeader},
		"an internal header in the query":                {request("PUT ?X-Minio-Replication-Actual-Object-Size=1", ""), InternalHeader},
		"an internal header in the query, escaped":       {request("PUT ?x%2Dminio%2DREPLICATION-Iv=1", ""), InternalHeader},
		"an internal header in the query, without value": {request("PUT ?x-minio-source-etag", ""), InternalHeader},
		"a readiness question of another server":         {request("HEAD", "X-Minio-Check-Replication-Ready: true"), InternalHeader},
		"a replica":                                      {request("PUT", "X-Amz-Replication-Status: REPLICA"), ReplicaClaim},
		"a replica in the query":                         {request("PUT ?x-amz-replication-status=REPLICA", ""), ReplicaClaim},
		"a replica that is deleted":                      {request("DELETE ?versionId=v", "x-amz-replication-status: REPLICA"), ReplicaClaim},
		"a version on PUT":                               {request("PUT ?versionId=v", ""), VersionOnWrite},
		"a version on PUT, mixed case":                   {request("PUT ?VERSIONID=v", ""), VersionOnWrite},
		"the null version on PUT":                        {request("PUT ?versionId=null", ""), VersionOnWrite},
		"a version on a new upload":                      {request("POST ?uploads&versionId=v", "", "uploads"), VersionOnWrite},
		"a version on a completed upload":                {request("POST ?uploadId=u&versionId=v", "", "uploadId"), VersionOnWrite},
		"a version on a part":                            {request("PUT ?uploadId=u&partNumber=1&versionId=v", "", "partNumber", "uploadId"), VersionOnWrite},
		"a version on a form":                            {request("POST ?versionId=v", "Content-Type: multipart/form-data; boundary=x"), VersionOnWrite},
		// MinIO looks for the copy source before it looks for ?retention
		"a version on a copy that also says retention": {request("PUT ?retention&versionId=v", "X-Amz-Copy-Source: b/o"), VersionOnWrite},
		"an unsigned copy source":                      {request("PUT ?"+presignedQuery+"host", "X-Amz-Copy-Source: b/o"), UnsignedHeader},
		"an unsigned copy source, no signed headers":   {request("PUT ?X-Amz-Credential=key", "X-Amz-Copy-Source: b/o"), UnsignedHeader},
		"an unsigned retention":                        {request("PUT ?"+presignedQuery+"host", "x-amz-object-lock-mode: GOVERNANCE"), UnsignedHeader},
		"an unsigned bypass":                           {request("DELETE ?versionId=v&"+presignedQuery+"host", "x-amz-bypass-governance-retention: true"), UnsignedHeader},
		"a select":                                     {request("POST ?select&select-type=2", "Authorization: "+signed, "select", "select-type"), Select},
		"two authorizations":                           {request("PUT", "Authorization: "+signed+"\nauthorization: "+signed), RepeatedParameter},
		"two copy sources":                             {request("PUT", "x-amz-copy-source: b/o\nX-Amz-Copy-Source: b/p"), RepeatedParameter},
		"two hashes":                                   {request("PUT", "x-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER"), RepeatedParameter},
		"two versions":                                 {request("DELETE ?versionId=v&versionId=w", ""), RepeatedParameter},
		"two lists of signed headers":                  {request("GET ?X-Amz-SignedHeaders=host&x-amz-signedheaders=x", ""), RepeatedParameter},
		"two prefixes":                                 {request("GET ?prefix=&prefix=a/", ""), RepeatedParameter},
		"a header that names a condition":              {request("GET ?prefix=", "Prefix: a/"), ConditionName},
		"an address of the client's own":               {request("GET", "SourceIp: 192.0.2.1"), ConditionName},
		"a parameter that names a condition":           {request("GET ?Prefix=a/", ""), ConditionName},
		"two prefixes in different spelling":           {request("GET ?prefix=&Prefix=a/", ""), RepeatedParameter},
		"a user of the client's own":                   {request("GET ?username=root", ""), ConditionName},
		"a tag of the client's own":                    {request("GET", "ExistingObjectTag/a: b"), ConditionName},
		"a lock of the client's own":                   {request("PUT", "object-lock-mode: COMPLIANCE"), ConditionName},
		"a query that cannot be parsed":                {request("GET ?a;b", ""), MalformedQuery},
		"a query with half an escape":                  {request("PUT ?x=%4", ""), MalformedQuery},
		"an anonymous legal hold":                      {request("PUT", "x-amz-object-lock-legal-hold: OFF"), LegalHoldAlone},
		"a name of 10000 bytes":                        {request("PUT", "X-Minio-Source-"+strings.Repeat("a", 10000)+": x"), InternalHeader},
	} {
		t.Run(name, func(t *testing.T) {
			refusal := Decide(test.request)
			if refusal == nil {
				t.Fatalf("was let through, expected: %s", test.rule)
			}
			if refusal.Rule != test.rule {
				t.Fatalf("refused by %s, expected: %s", refusal.Rule, test.rule)
			}
			if !strings.HasPrefix(refusal.Message, "refused by the rule "+string(test.rule)+" of ebs-guard: ") || len(refusal.Message) > 400 {
				t.Fatalf("message: %s", refusal.Message)
			}
			if refusal.Status != http.StatusForbidden && refusal.Status != http.StatusBadRequest {
				t.Fatalf("status: %d", refusal.Status)
			}
		})
	}
}

func TestLetThrough(t *testing.T) {
	for name, r := range map[string]Request{
		"trailing checksums of an SDK": request("PUT ?x-id=PutObject",
			"Authorization: "+signed+"\nX-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nX-Amz-Trailer: x-amz-checksum-crc32\nX-Amz-Decoded-Content-Length: 5\nX-Amz-Sdk-Checksum-Algorithm: CRC32"),
		"signed chunks":              request("PUT", "Authorization: "+signed+"\nX-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
		"a signature of version 2":   request("PUT", "Authorization: AWS key:signature"),
		"metadata":                   request("PUT", "x-amz-meta-internal: 1\nx-amz-meta-x-minio-source-etag: 1\nx-minio-meta-a: 1\nx-amz-meta-a: 2\nx-amz-meta-a: 3"),
		"a deletion by force of mc":  request("DELETE", "x-minio-force-delete: true"),
		"an archive's listing of mc": request("GET", "x-minio-extract: true"),
		"a listing":                  request("GET ?list-type=2&prefix=a/&delimiter=/&max-keys=3", ""),
		"a read of a version":        request("GET ?versionId=v", ""),
		"a deletion of a version":    request("DELETE ?versionId=v", "x-amz-bypass-governance-retention: true"),
		"retention of a version":     request("PUT ?retention&versionId=v", "", "retention"),
		"legal hold of a version":    request("PUT ?legal-hold&versionId=v", "", "legal-hold"),
		"tags of a version":          request("PUT ?tagging&versionId=v", "", "tagging"),
		"restore of a version":       request("POST ?restore&versionId=v", "", "restore"),
		"an empty version":           request("PUT ?versionId=", ""),
		"a copy of a version":        request("PUT", "Authorization: "+signed+"\nx-amz-copy-source: b/o?versionId=v"),
		"object lock of the client":  request("PUT", "Authorization: "+signed+"\nx-amz-object-lock-mode: COMPLIANCE\nx-amz-object-lock-retain-until-date: 2030-01-01T00:00:00Z\nx-amz-object-lock-legal-hold: ON"),
		"a presigned PUT":            request("PUT ?"+presignedQuery+"host", "Content-Type: text/plain\nx-amz-checksum-crc32: AAAA"),
		"a presigned copy":           request("PUT ?"+presignedQuery+"host%3Bx-amz-copy-source", "X-Amz-Copy-Source: b/o"),
		"a presigned read, SSE-C":    request("GET ?"+presignedQuery+"host%3Bx-amz-server-side-encryption-customer-key", "x-amz-server-side-encryption-customer-key: k"),
		"a presigned PUT, version 2": request("PUT ?AWSAccessKeyId=key&Signature=s&Expires=1", "x-amz-acl: private"),
		"an anonymous read":          request("GET", ""),
		"several attributes":         request("GET ?attributes", "x-amz-object-attributes: ETag\nx-amz-object-attributes: ObjectSize", "attributes"),
	} {
		t.Run(name, func(t *testing.T) {
			if refusal := Decide(r); refusal != nil {
				t.Fatal(refusal.Message)
			}
		})
	}
}

func TestWhatDependsOnState(t *testing.T) {
	held := "Authorization: " + signed + "\nx-amz-object-lock-legal-hold: OFF"
	for name, test := range map[string]struct{ got, want bool }{
		"legal hold alone":                    {request("PUT", held).LegalHoldAlone(), true},
		"legal hold alone on a new upload":    {request("POST ?uploads", held, "uploads").LegalHoldAlone(), true},
		"legal hold with half a retention":    {request("PUT", held+"\nx-amz-object-lock-mode: COMPLIANCE").LegalHoldAlone(), true},
		"legal hold with retention":           {request("PUT", held+"\nx-amz-object-lock-mode: COMPLIANCE\nx-amz-object-lock-retain-until-date: d").LegalHoldAlone(), false},
		"legal hold of a part":                {request("PUT ?uploadId=u&partNumber=1", held, "partNumber", "uploadId").LegalHoldAlone(), false},
		"no legal hold":                       {request("PUT", "").LegalHoldAlone(), false},
		"bypass":                              {request("PUT ?retention", "x-amz-bypass-governance-retention: TRUE", "retention").BypassesRetention(), true},
		"bypass that is off":                  {request("PUT ?retention", "x-amz-bypass-governance-retention: false", "retention").BypassesRetention(), false},
		"bypass of a deletion":                {request("DELETE", "x-amz-bypass-governance-retention: true").BypassesRetention(), false},
		"deletion by force":                   {request("DELETE", "x-minio-force-delete: true").DeletesByForce(), true},
		"deletion":                            {request("DELETE", "").DeletesByForce(), false},
		"completed upload":                    {request("POST ?uploadId=u", "", "uploadId").CompletesUpload(), true},
		"new upload":                          {request("POST ?uploads", "", "uploads").CompletesUpload(), false},
		"form":                                {request("POST", "Content-Type: Multipart/Form-Data; boundary=x").IsForm(), true},
		"form on the route of another":        {request("POST ?uploads", "Content-Type: multipart/form-data; boundary=x", "uploads").IsForm(), false},
		"deletion of several objects":         {request("POST ?delete", "Content-Type: application/xml", "delete").IsForm(), false},
		"parts, each once":                    {RepeatsPart([]int{1, 2, 3}) == nil, true},
		"a part twice":                        {RepeatsPart([]int{1, 2, 2}) == nil, false},
		"a part twice, the other one between": {RepeatsPart([]int{2, 1, 2}) == nil, false},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v", name, test.got)
		}
	}
}

func TestForwardedAddressesAreDropped(t *testing.T) {
	header := http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Real-Ip": {"192.0.2.1"}, "Forwarded": {"for=192.0.2.1"},
		"X-Forwarded-Proto": {"https"}, "X-Amz-Date": {"d"}, "X-Real-Name": {"n"}}
	DropForwarded(header)
	if len(header) != 2 || header.Get("X-Amz-Date") != "d" || header.Get("X-Real-Name") != "n" {
		t.Fatalf("left: %v", header)
	}
}

// FuzzDecide compares with what MinIO would read out of a request: nothing that is let through may have it.
func FuzzDecide(f *testing.F) {
	f.Add("PUT", "versionId=v", "", "X-Amz-Copy-Source: b/o", true)
	f.Add("PUT", "X-Amz-Credential=k&X-Amz-SignedHeaders=host", "", "x-amz-copy-source: b/o", true)
	f.Add("PUT", "", "", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", true)
	f.Add("POST", "uploads&versionId=v", "uploads", "", true)
	f.Add("PUT", "x-minio-replication-iv=1", "", "X-Minio-Source-Etag: x\nAuthorization: "+signed, true)
	f.Fuzz(func(t *testing.T, method, query, route, headers string, object bool) {
		r := request(method+" ?"+query, headers)
		r.Method, r.RawQuery, r.Object = method, query, object
		if route != "" {
			r.Route = strings.Split(route, ",")
		}
		if Decide(r) != nil {
			return
		}
		form, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal("a query that MinIO cannot parse")
		}
		for _, values := range []map[string][]string{r.Header, form} {
			for name := range values {
				// handler-utils.go, extractMetadataFromMime: header and query under their canonical names
				canonical := http.CanonicalHeaderKey(name)
				for _, internal := range []string{"X-Minio-Replication-", "X-Minio-Source-", "X-Minio-Internal-", "X-Amz-Replication-Status"} {
					if strings.HasPrefix(canonical, internal) && (internal != "X-Amz-Replication-Status" || canonical == internal) {
						t.Fatalf("%q", name)
					}
				}
			}
		}
		streaming := strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
		_, queried := form["X-Amz-Credential"]
		if streaming && (queried || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256")) {
			t.Fatal("chunks without a signature")
		}
		if (method == "PUT" || method == "POST") && len(r.Route) == 0 && strings.TrimSpace(form.Get("versionId")) != "" {
			t.Fatal("a version on a write")
		}
		if source := r.Header.Get("X-Amz-Copy-Source"); source != "" && queried {
			signedHeaders := strings.Split(form.Get("X-Amz-SignedHeaders"), ";")
			found := false
			for _, each := range signedHeaders {
				found = found || http.CanonicalHeaderKey(each) == "X-Amz-Copy-Source"
			}
			if !found {
				t.Fatal("an unsigned copy source")
			}
		}
	})
}
