package cmd

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/minio/minio/internal/grid"
	"github.com/minio/minio/internal/kms"
	"github.com/minio/minio/internal/logger"
	"github.com/minio/mux"
)

// MinIO that cannot read its stored settings when it starts goes on without them. It writes new ones over them where two drives
// differ and a third is not connected yet, which it takes for "not found" (cmd/config-migrate.go, cmd/erasure-object.go). Where
// the KMS gives no key for them it has none: root is let in that was refused, and nothing is encrypted by default
// (cmd/server-main.go, initConfigSubsystem). A bucket whose settings are not found is without versioning, object lock and
// encryption (cmd/bucket-metadata.go).

// ebsServerSettings is where MinIO stores its own.
var ebsServerSettings = path.Join(minioConfigPrefix, minioConfigFile)

// ebsKMSWait is how often it is looked whether MinIO has connected to its KMS. It reads its settings much later.
const ebsKMSWait = time.Millisecond

func init() {
	go func() {
		for {
			isStarted := newObjectLayerFn() != nil
			if k := (*kms.KMS)(atomic.LoadPointer((*unsafe.Pointer)(unsafe.Pointer(&GlobalKMS)))); k != nil {
				atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(&GlobalKMS)), unsafe.Pointer(k.EBSWith(ebsMaySeal, ebsNotOpened)))
				return
			}
			if isStarted {
				// it has no KMS
				return
			}
			time.Sleep(ebsKMSWait)
		}
	}()
}

// ebsMaySeal refuses to make a key for the server's settings at its start, unless every drive says that there are none.
func ebsMaySeal(of kms.Context) error {
	if !ebsOfServerSettings(of) || ebsServerSettingsAreRead() || ebsEveryDriveIsThere() {
		return nil
	}
	return fmt.Errorf("not every drive is there, so the stored settings are not replaced: %w", errErasureReadQuorum)
}

// ebsNotOpened has MinIO try again at its start, as it does where too few drives answer.
func ebsNotOpened(of kms.Context, err error) error {
	if !ebsOfServerSettings(of) || ebsServerSettingsAreRead() {
		return err
	}
	return fmt.Errorf("the KMS did not open the stored settings: %w (%w)", err, errErasureReadQuorum)
}

// ebsOfServerSettings knows both contexts with which MinIO tries to open them.
func ebsOfServerSettings(of kms.Context) bool {
	name := of[minioMetaBucket]
	return name == ebsServerSettings || name == path.Join(minioMetaBucket, ebsServerSettings)
}

func ebsServerSettingsAreRead() bool {
	globalServerConfigMu.RLock()
	defer globalServerConfigMu.RUnlock()
	return globalServerConfig != nil
}

func ebsEveryDriveIsThere() bool {
	pools, ok := newObjectLayerFn().(*erasureServerPools)
	if !ok {
		return false
	}
	for _, pool := range pools.serverPools {
		for _, set := range pool.sets {
			for _, disk := range set.getDisks() {
				if disk == nil || !disk.IsOnline() {
					return false
				}
			}
		}
	}
	return true
}

const (
	// ebsSettleLimit is for one look at the settings of all buckets
	ebsSettleLimit = 10 * time.Second
	ebsSettleEvery = 300 * time.Millisecond
)

var (
	ebsSettled  atomic.Bool
	ebsSettling sync.Mutex
	// ebsNextLook is when a request looks again, after a look that failed
	ebsNextLook time.Time
)

// ebsIsSettled says whether the settings of the server and of every bucket were read as they are stored. Requests of clients
// and of administration are refused before.
func ebsIsSettled() bool {
	if ebsSettled.Load() {
		return true
	}
	ebsSettling.Lock()
	defer ebsSettling.Unlock()
	if ebsSettled.Load() || time.Now().Before(ebsNextLook) {
		return ebsSettled.Load()
	}
	ctx, cancel := context.WithTimeout(GlobalContext, ebsSettleLimit)
	defer cancel()
	if err := ebsReadBuckets(ctx); err != nil {
		logger.LogOnceIf(ctx, "ebs", fmt.Errorf("requests are refused: %w", err), "ebs-settings")
		ebsNextLook = time.Now().Add(ebsSettleEvery)
		return false
	}
	ebsSettled.Store(true)
	return true
}

// ebsReadBuckets takes the stored settings of every bucket that are newer than those in memory.
func ebsReadBuckets(ctx context.Context) error {
	sys, objects := globalBucketMetadataSys, newObjectLayerFn()
	if objects == nil || !ebsServerSettingsAreRead() || !sys.Initialized() {
		return errServerNotInitialized
	}
	buckets, err := objects.ListBuckets(ctx, BucketOptions{NoMetadata: true})
	if err != nil {
		return err
	}
	for _, bucket := range buckets {
		_, err := readBucketMetadata(ctx, objects, bucket.Name)
		if err != nil && !ebsEveryDriveIsThere() {
			return fmt.Errorf("settings of bucket %s: %w", bucket.Name, err)
		}
		if err != nil {
			// there are none, or they are damaged, which MinIO tells whoever asks for the bucket
			continue
		}
		stored, err := loadBucketMetadata(ctx, objects, bucket.Name)
		if err != nil {
			continue
		}
		sys.Lock()
		known := sys.metadataMap[bucket.Name]
		isNewer := known.lastUpdate().Before(stored.lastUpdate())
		if isNewer {
			sys.metadataMap[bucket.Name] = stored
		}
		sys.Unlock()
		if isNewer {
			globalEventNotifier.set(bucket.Name, stored)
			globalBucketTargetSys.set(bucket.Name, stored)
		}
	}
	return nil
}

// ebsNeedsSettings is true but for what nodes ask each other, and for the pages that say whether MinIO runs and has its drives.
func ebsNeedsSettings(r *http.Request) bool {
	route := mux.CurrentRoute(r)
	if route == nil {
		return true
	}
	template, err := route.GetPathTemplate()
	if err != nil {
		return true
	}
	for _, prefix := range []string{
		storageRESTPrefix, peerRESTPrefix, grid.RoutePath, grid.RouteLockPath,
		healthCheckPathPrefix + healthCheckLivenessPath, healthCheckPathPrefix + healthCheckClusterPath,
	} {
		if strings.HasPrefix(template, prefix) {
			return false
		}
	}
	return true
}
