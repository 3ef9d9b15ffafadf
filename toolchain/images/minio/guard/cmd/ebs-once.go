package cmd

import (
	"net/http"
	"sync"

	"github.com/minio/minio/internal/ebsonce"
)

var ebsPeersOnce sync.Once

// ebsServeOnce serves a request that asks the KMS once for each data key that it needs.
func ebsServeOnce(next http.Handler, w http.ResponseWriter, r *http.Request) {
	ebsPeersOnce.Do(ebsWatchPeers)
	ebsonce.During(r.Context(), func() { next.ServeHTTP(w, r) })
}
