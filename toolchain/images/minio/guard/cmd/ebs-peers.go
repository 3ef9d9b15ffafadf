package cmd

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/minio/minio/internal/grid"
	xhttp "github.com/minio/minio/internal/http"
)

// A host that loses its power closes no connection, and whoever waits for an answer of it has nothing that Linux would send
// again. So each node is connected to again and again: the kernel of a host answers, however busy or halted MinIO is.
const (
	// ebsDialLimit is for new connections to other nodes. Upstream has 10 s
	ebsDialLimit = time.Second

	// a host is away after ebsProbes connections in a row that were not answered within ebsProbeEvery
	ebsProbeEvery = 400 * time.Millisecond
	ebsProbes     = 3

	// ebsLocksLimit is how long a host is away until its locks end. Upstream has 1 to 2 minutes (cmd/lock-rest-server.go)
	ebsLocksLimit = 6 * time.Second
)

type ebsPeer struct {
	// gridHost is the URL by which internal/grid knows the node; address is its host and port, which also names the owner of locks
	gridHost, address string

	away  atomic.Bool
	mutex sync.Mutex
	open  map[*ebsPeerConn]struct{}
}

// ebsPeerConn is a connection of the internode transport.
type ebsPeerConn struct {
	net.Conn
	peer *ebsPeer
}

func (c *ebsPeerConn) Close() error {
	c.peer.mutex.Lock()
	delete(c.peer.open, c)
	c.peer.mutex.Unlock()
	return c.Conn.Close()
}

// ebsWatchPeers has requests fail that wait for a node whose host does not answer. It is called once.
func ebsWatchPeers() {
	transport, ok := globalInternodeTransport.(*http.Transport)
	if !ok || !globalIsDistErasure {
		return
	}
	peers := map[string]*ebsPeer{}
	hosts, local := globalEndpoints.GridHosts()
	for _, host := range hosts {
		u, err := url.Parse(host)
		if host == local || err != nil || u.Port() == "" {
			continue
		}
		peers[u.Host] = &ebsPeer{gridHost: host, address: u.Host, open: map[*ebsPeerConn]struct{}{}}
	}
	limited := xhttp.DialContextWithLookupHost(globalDNSCache.LookupHost, xhttp.NewInternodeDialContext(ebsDialLimit, globalTCPOptions))
	// of the type of the field
	dial := transport.DialContext
	dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		peer := peers[address]
		if peer != nil && peer.away.Load() {
			return nil, ebsTimedOut(network)
		}
		conn, err := limited(ctx, network, address)
		if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			err = ebsTimedOut(network)
		}
		if err != nil || peer == nil {
			return conn, err
		}
		return peer.opened(conn), nil
	}
	// a function is one pointer, and whoever reads the old value meanwhile has a limit as good as upstream's
	atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(&transport.DialContext)), *(*unsafe.Pointer)(unsafe.Pointer(&dial)))
	for _, peer := range peers {
		go peer.watch()
	}
}

// ebsTimedOut is what Linux says. After the limit of a program MinIO tries the node again with each request, after that of
// Linux it does not.
func ebsTimedOut(network string) error {
	return &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ETIMEDOUT)}
}

func (p *ebsPeer) opened(conn net.Conn) net.Conn {
	tracked := &ebsPeerConn{Conn: conn, peer: p}
	p.mutex.Lock()
	p.open[tracked] = struct{}{}
	p.mutex.Unlock()
	return tracked
}

func (p *ebsPeer) watch() {
	missed := 0
	ticker := time.NewTicker(ebsProbeEvery)
	defer ticker.Stop()
	for range ticker.C {
		if p.answers() {
			missed = 0
			if p.away.Swap(false) {
				// it may have told of changes meanwhile
				go ebsReadAgain()
			}
			continue
		}
		if missed++; missed == ebsProbes {
			p.away.Store(true)
			p.disconnect()
			time.AfterFunc(ebsLocksLimit, p.unlock(time.Now()))
		}
	}
}

// answers says whether the host is there. One that refuses the connection is: MinIO does not run there, or not yet.
func (p *ebsPeer) answers() bool {
	conn, err := net.DialTimeout("tcp", p.address, ebsProbeEvery)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	_ = conn.Close()
	return true
}

func (p *ebsPeer) disconnect() {
	for _, manager := range []*grid.Manager{globalGrid.Load(), globalLockGrid.Load()} {
		if manager != nil {
			manager.EBSDisconnect(p.gridHost)
		}
	}
	p.mutex.Lock()
	open := p.open
	p.open = map[*ebsPeerConn]struct{}{}
	p.mutex.Unlock()
	for conn := range open {
		// not Close of TLS, which would first tell the other end
		_ = conn.Conn.Close()
	}
}

// unlock ends the locks that the host took before it was away and has not refreshed since, if it still is. Each node does so
// by itself, and what a host begins that two others do not reach has no quorum.
func (p *ebsPeer) unlock(since time.Time) func() {
	return func() {
		if !p.away.Load() {
			return
		}
		l := globalLockServer
		defer l.getMutex()()
		for name, held := range l.lockMap {
			kept := make([]lockRequesterInfo, 0, len(held))
			for _, lock := range held {
				if lock.Owner == p.address && time.Unix(0, lock.TimeLastRefresh).Before(since) {
					delete(l.lockUID, formatUUID(lock.UID, lock.idx))
				} else {
					kept = append(kept, lock)
				}
			}
			switch {
			case len(kept) == 0:
				delete(l.lockMap, name)
			case len(kept) < len(held):
				l.lockMap[name] = kept
			}
		}
	}
}
