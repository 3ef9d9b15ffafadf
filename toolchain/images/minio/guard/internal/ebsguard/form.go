package ebsguard

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

const (
	// AWS allows 20 KB for all fields but the file
	maxFormSize   = 64 << 10
	maxFormFields = 1000
)

// IsForm is true for what MinIO takes for an upload by an HTML form.
func (r Request) IsForm() bool {
	if r.Method != http.MethodPost || len(r.Route) > 0 {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "multipart/form-data"
}

// ReadForm reads the fields before the file, as MinIO does, and returns a body that begins anew. Fields have the names of
// headers. A form that cannot be parsed is left to MinIO, which refuses it.
func ReadForm(contentType string, body io.Reader) (fields http.Header, again io.Reader, refusal *Refusal) {
	fields = make(http.Header)
	var read bytes.Buffer
	// one byte more than allowed tells a form that is too large from one that ends
	reader := io.TeeReader(io.LimitReader(body, maxFormSize+1), &read)
	defer func() { again = io.MultiReader(bytes.NewReader(read.Bytes()), body) }()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return fields, nil, nil
	}
	form := multipart.NewReader(reader, params["boundary"])
	for count := 0; ; count++ {
		part, err := form.NextRawPart()
		if err != nil {
			return fields, nil, endOfForm(err, read.Len())
		}
		name := part.FormName()
		if name == "file" {
			return fields, nil, nil
		}
		if refusal := internalName("form field", name); refusal != nil {
			return fields, nil, refusal
		}
		if count == maxFormFields {
			return fields, nil, invalid(FormUpload, "the form has more than 1000 fields")
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return fields, nil, endOfForm(err, read.Len())
		}
		if name != "" {
			fields.Add(name, string(value))
		}
	}
}

func endOfForm(err error, size int) *Refusal {
	if size > maxFormSize {
		return invalid(FormUpload, "the fields of the form are larger than 64 KiB")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	// what could not be parsed to the end may hide fields behind it
	return invalid(FormUpload, "the form cannot be parsed")
}

// RefuseForm is the answer where the bucket has object lock.
func RefuseForm() *Refusal {
	return denied(FormUpload, "this bucket has object lock, and uploads by an HTML form would get no retention; upload with PUT")
}
