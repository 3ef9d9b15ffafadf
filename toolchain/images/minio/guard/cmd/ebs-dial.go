package cmd

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	xhttp "github.com/minio/minio/internal/http"
)

// ebsDialLimit is for new connections to other nodes. Upstream has 10 s, and every GET asks every node: one that lost its
// power answers no SYN, and Linux asks again for 3 s at least before it gives up.
const ebsDialLimit = time.Second

// ebsLimitDials has requests to nodes that do not answer fail within ebsDialLimit. It is called once.
func ebsLimitDials() {
	transport, ok := globalInternodeTransport.(*http.Transport)
	if !ok {
		return
	}
	limited := xhttp.NewInternodeDialContext(ebsDialLimit, globalTCPOptions)
	// of the type of the field
	dial := transport.DialContext
	dial = xhttp.DialContextWithLookupHost(globalDNSCache.LookupHost, func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := limited(ctx, network, addr)
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			// after the limit of a program MinIO tries the node again with each request, after that of Linux it does not
			err = &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ETIMEDOUT)}
		}
		return conn, err
	})
	// a function is one pointer, and whoever reads the old value meanwhile has a limit as good as upstream's
	atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(&transport.DialContext)), *(*unsafe.Pointer)(unsafe.Pointer(&dial)))
}
