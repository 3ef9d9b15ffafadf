package cmd

import (
	"net/http"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/minio/minio/internal/ebsonce"
)

var ebsKMSOnce sync.Once

var ebsPeersOnce sync.Once

// ebsServeOnce serves a request that asks the KMS once for each data key that it needs.
func ebsServeOnce(next http.Handler, w http.ResponseWriter, r *http.Request) {
	ebsPeersOnce.Do(ebsWatchPeers)
	if GlobalKMS == nil {
		next.ServeHTTP(w, r)
		return
	}
	// MinIO sets the variable once, before it serves. Whoever reads the old value meanwhile has a KMS as good as the new one
	ebsKMSOnce.Do(func() {
		atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(&GlobalKMS)), unsafe.Pointer(GlobalKMS.EBSOnce()))
	})
	ebsonce.During(r.Context(), func() { next.ServeHTTP(w, r) })
}
