package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/minio/minio/internal/config"
	"github.com/minio/minio/internal/grid"
	"github.com/minio/minio/internal/kms"
	"github.com/minio/minio/internal/logger"
	"github.com/minio/mux"
)

// MinIO that cannot read its stored settings when it starts goes on without them. It writes new ones over them where two drives
// differ and a third is not connected yet, which it takes for "not found" (cmd/config-migrate.go, cmd/erasure-object.go). Where
// the KMS gives no key for them it has none: root is let in that was refused, and nothing is encrypted by default
// (cmd/server-main.go, initConfigSubsystem). Users come without the policies of their groups (cmd/iam.go, Init). A bucket whose
// settings are not found is without versioning, object lock and encryption (cmd/bucket-metadata.go).
//
// One that runs and reads them again, as after a change on another node, takes those by default where the KMS gives no key
// (cmd/config.go, readServerConfig).

// ebsServerSettings is where MinIO stores its own.
var ebsServerSettings = path.Join(minioConfigPrefix, minioConfigFile)

// ebsKMSWait is how often it is looked whether MinIO has connected to its KMS. It reads its settings much later.
const ebsKMSWait = time.Millisecond

func init() {
	go func() {
		ebsAskKMSOnce()
		ebsIsSettled()
	}()
}

// ebsAskKMSOnce takes the place of MinIO's KMS as soon as there is one.
func ebsAskKMSOnce() {
	for {
		isStarted := newObjectLayerFn() != nil
		if k := (*kms.KMS)(atomic.LoadPointer((*unsafe.Pointer)(unsafe.Pointer(&GlobalKMS)))); k != nil {
			atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(&GlobalKMS)), unsafe.Pointer(k.EBSWith(ebsMaySeal, ebsNotOpened, ebsAgain)))
			return
		}
		if isStarted {
			// it has no KMS
			return
		}
		time.Sleep(ebsKMSWait)
	}
}

// ebsMaySeal refuses to make a key for the server's settings where those that are stored were not read, unless every drive says
// that there are none.
func ebsMaySeal(of kms.Context) error {
	objects := newObjectLayerFn()
	if !ebsOfServerSettings(of) || objects == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(GlobalContext, ebsReadLimit)
	defer cancel()
	_, err := readConfig(ctx, objects, ebsServerSettings)
	if err == nil && ebsServerSettingsAreRead() {
		return nil
	}
	if errors.Is(err, errConfigNotFound) && ebsEveryDriveIsThere() {
		return nil
	}
	return fmt.Errorf("the stored settings were not read, so they are not replaced: %w", errErasureReadQuorum)
}

// ebsNotOpened has MinIO try again at its start, as it does where too few drives answer.
func ebsNotOpened(of kms.Context, err error) error {
	if !ebsOfStart(of) || ebsIsFinal(err) {
		return err
	}
	return fmt.Errorf("the KMS gave no key for the stored settings: %w (%w)", err, errErasureReadQuorum)
}

// ebsOfStart is true for settings that were not read yet.
func ebsOfStart(of kms.Context) bool {
	switch {
	case ebsOfServerSettings(of):
		return !ebsServerSettingsAreRead()
	case strings.HasPrefix(strings.TrimPrefix(of[minioMetaBucket], minioMetaBucket+SlashSeparator), iamConfigPrefix):
		return !ebsUsersAreRead()
	}
	return false
}

// ebsIsFinal is true where the KMS is there, and has the key, and what is stored is not of this key.
func ebsIsFinal(err error) bool {
	return errors.Is(err, kms.ErrDecrypt)
}

// ebsAgain has MinIO wait for the server's settings rather than take those by default. It tries two contexts, so that only the
// second says that they cannot be opened by any; then it waits for good.
func ebsAgain(of kms.Context, err error) bool {
	if !ebsOfServerSettings(of) || !ebsServerSettingsAreRead() || ebsIsFinal(err) && of[minioMetaBucket] != ebsServerSettings {
		return false
	}
	logger.LogOnceIf(GlobalContext, "ebs", fmt.Errorf("the settings stay as they are: the KMS did not open the stored ones: %w", err), "ebs-again")
	select {
	case <-GlobalContext.Done():
		return false
	case <-time.After(time.Second):
		return true
	}
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

// ebsUsersAreRead is true once MinIO has read all users, groups and policies.
func ebsUsersAreRead() bool {
	return atomic.LoadUint64(&globalIAMSys.TotalRefreshSuccesses) > 0
}

const (
	// ebsReadLimit is for the settings of the server, or of one bucket
	ebsReadLimit = 10 * time.Second
	ebsReadEvery = 300 * time.Millisecond
	// ebsLasting is longer than a drive of another node may count as there and not be asked (internal/rest/client.go)
	ebsLasting = time.Minute
)

var (
	ebsSettled  atomic.Bool
	ebsSettling atomic.Bool
	// ebsWanted counts how often settings are to be read again; 0 while nobody does
	ebsWanted atomic.Int64
)

// ebsIsSettled says whether the settings of the server, its users and every bucket were read as they are stored. Requests of
// clients and of administration are refused before.
func ebsIsSettled() bool {
	if !ebsSettled.Load() && ebsSettling.CompareAndSwap(false, true) {
		go func() {
			ebsReadUntilDone(ebsReadAll)
			ebsSettled.Store(true)
			ebsWatchPeers()
		}()
	}
	return ebsSettled.Load()
}

// ebsReadAgain reads what may have changed while this node did not hear of it. Upstream does so each 10 to 15 minutes.
func ebsReadAgain() {
	if ebsWanted.Add(1) > 1 {
		// whoever reads does so once more
		return
	}
	for {
		wanted := ebsWanted.Load()
		ebsReadUntilDone(ebsReadChanged)
		_ = globalIAMSys.Load(GlobalContext, false)
		if ebsWanted.CompareAndSwap(wanted, 0) {
			return
		}
	}
}

// ebsReading is what is known of one look at the settings of all buckets.
type ebsReading struct {
	done map[string]bool
	// failing says since when a bucket has failed while every drive was there
	failing map[string]time.Time
}

func ebsReadUntilDone(read func(*ebsReading) error) {
	reading := &ebsReading{done: map[string]bool{}, failing: map[string]time.Time{}}
	began := time.Now()
	for GlobalContext.Err() == nil {
		err := read(reading)
		if err == nil {
			return
		}
		if !ebsSettled.Load() && time.Since(began) > ebsReadLimit {
			logger.LogOnceIf(GlobalContext, "ebs", fmt.Errorf("requests are refused: %w", err), "ebs-settings")
		}
		time.Sleep(ebsReadEvery)
	}
}

func ebsReadAll(reading *ebsReading) error {
	if newObjectLayerFn() == nil || !ebsServerSettingsAreRead() || !globalBucketMetadataSys.Initialized() {
		return errServerNotInitialized
	}
	if !ebsUsersAreRead() {
		return errIAMNotInitialized
	}
	return reading.buckets()
}

// ebsReadChanged takes the setting that says whether root is let in, and those of buckets.
func ebsReadChanged(reading *ebsReading) error {
	objects := newObjectLayerFn()
	ctx, cancel := context.WithTimeout(GlobalContext, ebsReadLimit)
	defer cancel()
	data, err := readConfig(ctx, objects, ebsServerSettings)
	if err != nil {
		return err
	}
	if data, err = decryptData(data, ebsServerSettings); err != nil {
		return err
	}
	stored, err := readServerConfig(ctx, objects, data)
	if err != nil {
		return err
	}
	if err := applyDynamicConfigForSubSys(ctx, objects, stored, config.APISubSys); err != nil {
		return err
	}
	return reading.buckets()
}

// buckets takes the stored settings of every bucket that are newer than those in memory.
func (r *ebsReading) buckets() error {
	objects := newObjectLayerFn()
	ctx, cancel := context.WithTimeout(GlobalContext, ebsReadLimit)
	defer cancel()
	buckets, err := objects.ListBuckets(ctx, BucketOptions{NoMetadata: true})
	if err != nil {
		return err
	}
	for _, bucket := range buckets {
		if r.done[bucket.Name] {
			continue
		}
		if err := ebsReadBucket(objects, bucket.Name); err != nil && !r.lasts(bucket.Name, err) {
			return fmt.Errorf("settings of bucket %s: %w", bucket.Name, err)
		}
		r.done[bucket.Name] = true
	}
	return nil
}

// lasts is true where a bucket has no settings, or damaged ones: MinIO tells that whoever asks for it. A drive that is missing
// or a KMS that gives no key may have them.
func (r *ebsReading) lasts(bucket string, err error) bool {
	var ofKMS kms.Error
	if errors.As(err, &ofKMS) || !ebsEveryDriveIsThere() {
		delete(r.failing, bucket)
		return false
	}
	if errors.Is(err, errConfigNotFound) && !globalIsDistErasure {
		return true
	}
	since, ok := r.failing[bucket]
	if !ok {
		r.failing[bucket] = time.Now()
		return false
	}
	return time.Since(since) > ebsLasting
}

func ebsReadBucket(objects ObjectLayer, bucket string) error {
	ctx, cancel := context.WithTimeout(GlobalContext, ebsReadLimit)
	defer cancel()
	if _, err := readBucketMetadata(ctx, objects, bucket); err != nil {
		return err
	}
	stored, err := loadBucketMetadata(ctx, objects, bucket)
	if err != nil {
		return err
	}
	sys := globalBucketMetadataSys
	sys.Lock()
	known := sys.metadataMap[bucket]
	isNewer := known.lastUpdate().Before(stored.lastUpdate())
	if isNewer {
		sys.metadataMap[bucket] = stored
	}
	sys.Unlock()
	if isNewer {
		globalEventNotifier.set(bucket, stored)
		globalBucketTargetSys.set(bucket, stored)
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
