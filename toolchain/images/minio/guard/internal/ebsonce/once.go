// Package ebsonce remembers what was opened during one request, in memory, and forgets it when the request ends. It uses
// the standard library only.
//
// MinIO opens the data key of an object up to three times in one request, and passes no context with it
// (internal/crypto/sse-s3.go, UnsealObjectKey). What belongs to the same request is told by the labels of its
// goroutines: each request has labels of its own, and whatever goroutine it starts inherits them.
package ebsonce

import (
	"context"
	"runtime/pprof"
	"sync"
	"unsafe"
)

// The runtime lets packages read the labels of their goroutine by this name (runtime/proflabel.go). Only the address is
// used, which no two requests share while one of them has a goroutine.
//
//go:linkname goroutineLabels runtime/pprof.runtime_getProfLabel
func goroutineLabels() unsafe.Pointer

// keys of one request: a read needs one, a copy two, and a listing of thousands none again
const most = 8

type memory struct {
	lock   sync.Mutex
	opened map[string][]byte
}

// by address of the labels; what is not here has ended
var requests sync.Map

// During calls serve, and remembers until it returns.
func During(ctx context.Context, serve func()) {
	pprof.Do(ctx, pprof.Labels("ebs", "request"), func(context.Context) {
		labels, own := goroutineLabels(), &memory{opened: make(map[string][]byte)}
		requests.Store(labels, own)
		defer func() {
			requests.Delete(labels)
			own.forget()
		}()
		serve()
	})
}

// Recall returns a copy of what this request has remembered.
func Recall(name string) ([]byte, bool) {
	own := current()
	if own == nil {
		return nil, false
	}
	own.lock.Lock()
	defer own.lock.Unlock()
	value, ok := own.opened[name]
	return append([]byte(nil), value...), ok
}

// Remember keeps a copy for this request; outside of any it does nothing.
func Remember(name string, value []byte) {
	own := current()
	if own == nil {
		return
	}
	own.lock.Lock()
	defer own.lock.Unlock()
	if own.opened != nil && len(own.opened) < most {
		own.opened[name] = append([]byte(nil), value...)
	}
}

func current() *memory {
	labels := goroutineLabels()
	if labels == nil {
		return nil
	}
	found, ok := requests.Load(labels)
	if !ok {
		return nil
	}
	return found.(*memory)
}

// forget overwrites the keys; what still runs and asks after it gets nothing.
func (m *memory) forget() {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, value := range m.opened {
		clear(value)
	}
	m.opened = nil
}
