package cmd

import (
	"net/http"

	"github.com/minio/minio/internal/ebsonce"
)

// ebsServeOnce serves a request that asks the KMS once for each data key that it needs.
func ebsServeOnce(next http.Handler, w http.ResponseWriter, r *http.Request) {
	ebsonce.During(r.Context(), func() { next.ServeHTTP(w, r) })
}
