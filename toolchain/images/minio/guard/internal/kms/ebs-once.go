package kms

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/minio/minio/internal/ebsonce"
)

// EBSWith returns the same KMS, asked once in a request for each data key.
//
// maySeal is asked before a data key is made; what it answers is the error. failed turns an error of the KMS into what MinIO
// gets. again says whether the KMS is asked once more for a data key that it did not open, and waits before.
func (k *KMS) EBSWith(maySeal func(Context) error, failed func(Context, error) error, again func(Context, error) bool) *KMS {
	return &KMS{
		Type:           k.Type,
		DefaultKey:     k.DefaultKey,
		conn:           ebsOnceConn{k.conn, maySeal, failed, again},
		latencyBuckets: k.latencyBuckets,
		latency:        make([]atomic.Uint64, len(k.latencyBuckets)),
	}
}

type ebsOnceConn struct {
	conn
	maySeal func(Context) error
	failed  func(Context, error) error
	again   func(Context, error) bool
}

func (c ebsOnceConn) GenerateKey(ctx context.Context, req *GenerateKeyRequest) (DEK, error) {
	if err := c.maySeal(req.AssociatedData); err != nil {
		return DEK{}, err
	}
	dek, err := c.conn.GenerateKey(ctx, req)
	if err != nil {
		return DEK{}, c.failed(req.AssociatedData, err)
	}
	// whoever opens it asks for version 0
	if name, ok := ebsDataKey(dek.KeyID, 0, dek.Ciphertext, req.AssociatedData); ok {
		ebsonce.Remember(name, dek.Plaintext)
	}
	return dek, nil
}

func (c ebsOnceConn) Decrypt(ctx context.Context, req *DecryptRequest) ([]byte, error) {
	name, ok := ebsDataKey(req.Name, req.Version, req.Ciphertext, req.AssociatedData)
	if ok {
		if plaintext, found := ebsonce.Recall(name); found {
			return plaintext, nil
		}
	}
	plaintext, err := c.conn.Decrypt(ctx, req)
	for err != nil && c.again(req.AssociatedData, err) {
		plaintext, err = c.conn.Decrypt(ctx, req)
	}
	if err != nil {
		return nil, c.failed(req.AssociatedData, err)
	}
	if ok {
		ebsonce.Remember(name, plaintext)
	}
	return plaintext, nil
}

// ebsDataKey names a sealed data key by everything that the KMS is asked with.
func ebsDataKey(key string, version int, ciphertext []byte, associated Context) (string, bool) {
	text, err := associated.MarshalText()
	if err != nil {
		return "", false
	}
	return strings.Join([]string{strconv.Quote(key), strconv.Itoa(version), strconv.Quote(string(ciphertext)), string(text)}, " "), true
}
