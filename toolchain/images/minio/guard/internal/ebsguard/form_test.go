package ebsguard

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

const formType = "multipart/form-data; boundary=b"

// form has fields in pairs of name and value.
func form(pairs ...string) string {
	var body strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		body.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + pairs[i] + "\"\r\n\r\n" + pairs[i+1] + "\r\n")
	}
	return body.String() + "--b--\r\n"
}

func TestFormFields(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		rule Rule
	}{
		"ordinary":                       {form("key", "a", "policy", "p", "file", "content"), ""},
		"an internal field":              {form("key", "a", "X-Minio-Replication-Iv", "x", "file", "content"), InternalHeader},
		"an internal field, mixed case":  {form("x-MINIO-replication-iv", "x", "file", "content"), InternalHeader},
		"a replica":                      {form("x-amz-replication-status", "REPLICA", "file", "content"), ReplicaClaim},
		"many objects of one":            {form("x-minio-fanout-list", "{}", "file", "content"), InternalHeader},
		"MinIO reads nothing after file": {form("key", "a", "file", "content", "x-minio-replication-iv", "x"), ""},
		"no file":                        {form("key", "a"), ""},
		"a field of 70 KiB":              {form("key", strings.Repeat("a", 70<<10), "file", "content"), FormUpload},
		"1001 fields":                    {form(append(repeat(2002, "f"), "file", "content")...), FormUpload},
		"a body that ends in a field":    {"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nval", FormUpload},
		"a boundary that never comes":    {strings.Repeat("x", 80<<10), FormUpload},
	} {
		t.Run(name, func(t *testing.T) {
			fields, again, refusal := ReadForm(formType, strings.NewReader(test.body))
			if refusal == nil && test.rule != "" || refusal != nil && refusal.Rule != test.rule {
				t.Fatalf("%+v, expected: %q", refusal, test.rule)
			}
			if test.rule == "" && fields.Get("Key") != "a" {
				t.Fatalf("fields: %v", fields)
			}
			if whole, err := io.ReadAll(again); err != nil || string(whole) != test.body {
				t.Fatal("the body is not the same again")
			}
		})
	}
}

func TestBodyThatNeverEndsIsNotRead(t *testing.T) {
	endless := &counting{}
	if _, _, refusal := ReadForm(formType, endless); refusal == nil {
		t.Fatal("was let through")
	}
	if endless.bytes > maxFormSize+1 {
		t.Fatalf("read %d bytes", endless.bytes)
	}
}

type counting struct{ bytes int }

func (c *counting) Read(buffer []byte) (int, error) {
	c.bytes += len(buffer)
	return copy(buffer, bytes.Repeat([]byte("a"), len(buffer))), nil
}

func repeat(count int, value string) []string {
	return strings.Split(strings.Repeat(value+",", count-1)+value, ",")
}

// FuzzForm reads the form as MinIO does (bucket-handlers.go, PostPolicyBucketHandler) and compares.
func FuzzForm(f *testing.F) {
	f.Add(formType, form("key", "a", "x-minio-source-etag", "x", "file", "content"))
	f.Add("multipart/form-data; boundary=\"b c\"", "--b c\r\n\r\n\r\n--b c--")
	f.Add("multipart/form-data", form("file", "x"))
	f.Fuzz(func(t *testing.T, contentType, body string) {
		_, again, refusal := ReadForm(contentType, strings.NewReader(body))
		whole, err := io.ReadAll(again)
		if err != nil || string(whole) != body {
			t.Fatal("the body is not the same again")
		}
		if refusal != nil {
			return
		}
		mediaType, params, err := mime.ParseMediaType(contentType)
		if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" {
			return
		}
		parts := multipart.NewReader(bytes.NewReader(whole), params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil || part.FormName() == "file" {
				return
			}
			canonical := http.CanonicalHeaderKey(part.FormName())
			if strings.HasPrefix(canonical, "X-Minio-Replication-") || canonical == "X-Amz-Replication-Status" {
				t.Fatalf("%q was let through", part.FormName())
			}
		}
	})
}
