package cmd

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/minio/minio/internal/auth"
	objectlock "github.com/minio/minio/internal/bucket/object/lock"
	"github.com/minio/minio/internal/ebsguard"
	"github.com/minio/minio/internal/logger"
	"github.com/minio/minio/internal/mcontext"
	"github.com/minio/mux"
	"github.com/minio/pkg/v3/policy"
)

// The guard puts itself behind the tracer, so that a refusal has its request id, trace and audit entry like any other.
func init() {
	tracer := reflect.ValueOf(httpTracerMiddleware).Pointer()
	place := slices.IndexFunc(globalMiddlewares, func(each mux.MiddlewareFunc) bool {
		return reflect.ValueOf(each).Pointer() == tracer
	})
	if place < 0 {
		panic("ebs-guard: httpTracerMiddleware is not among the global middlewares")
	}
	globalMiddlewares = slices.Insert(globalMiddlewares, place+1, mux.MiddlewareFunc(ebsGuardMiddleware))

	// a 206 reads as success; what was read is not what was written
	tampered := errorCodes[ErrObjectTampered]
	tampered.HTTPStatusCode = http.StatusInternalServerError
	errorCodes[ErrObjectTampered] = tampered
}

// longest CompleteMultipartUpload: 10000 parts with a checksum each are less than half of it
const ebsMaxCompleteSize = 8 << 20

func ebsGuardMiddleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// for administration and STS, too: policies decide by the address there as well
		ebsguard.DropForwarded(r.Header)
		if ebsNeedsSettings(r) && !ebsIsSettled() {
			ebsRefuse(w, r, "EBSGuard.Settings", errorCodes.ToAPIErr(ErrServerNotInitialized))
			return
		}
		request, ok := ebsS3Request(r)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		refusal, apiErr := ebsguard.Decide(request), APIErrorCode(ErrNone)
		if refusal == nil {
			refusal, apiErr = ebsGuardByState(w, r, request)
		}
		switch {
		case refusal != nil:
			ebsRefuse(w, r, "EBSGuard."+string(refusal.Rule), APIError{
				Code:           refusal.Code,
				Description:    refusal.Message,
				HTTPStatusCode: refusal.Status,
			})
		case apiErr != ErrNone:
			ebsRefuse(w, r, "EBSGuard.Auth", errorCodes.ToAPIErr(apiErr))
		default:
			ebsServeOnce(next, w, r)
		}
	})
}

// ebsS3Request goes by the route that matched: with host-style addressing /minio/... is an object like any other.
func ebsS3Request(r *http.Request) (request ebsguard.Request, ok bool) {
	route, vars := mux.CurrentRoute(r), mux.Vars(r)
	if route == nil || vars["bucket"] == "" {
		return request, false
	}
	// administration has buckets in its queries; the templates of S3 begin with a variable
	if template, err := route.GetPathTemplate(); err == nil && strings.HasPrefix(template, minioReservedBucketPath+SlashSeparator) {
		return request, false
	}
	request = ebsguard.Request{
		Method:   r.Method,
		Object:   vars["object"] != "",
		Header:   r.Header,
		RawQuery: r.URL.RawQuery,
	}
	// an error means that the route has none
	queries, _ := route.GetQueriesTemplates()
	for _, query := range queries {
		name, _, _ := strings.Cut(query, "=")
		request.Route = append(request.Route, name)
	}
	return request, true
}

// ebsGuardByState refuses what depends on a bucket's settings, on rights or on the body. Only who may do the request at
// all learns of them: everybody else gets MinIO's own error.
func ebsGuardByState(w http.ResponseWriter, r *http.Request, request ebsguard.Request) (*ebsguard.Refusal, APIErrorCode) {
	switch {
	case request.LegalHoldAlone():
		return ebsLegalHoldAlone(w, r)
	case request.IsForm():
		return ebsForm(w, r)
	case request.CompletesUpload():
		return ebsCompletesUpload(w, r)
	case request.BypassesRetention():
		return ebsBypassesRetention(w, r)
	case request.DeletesByForce():
		return ebsDeletesByForce(w, r)
	}
	return nil, ErrNone
}

func ebsLegalHoldAlone(w http.ResponseWriter, r *http.Request) (*ebsguard.Refusal, APIErrorCode) {
	if apiErr := ebsMayPut(w, r); apiErr != ErrNone {
		return nil, apiErr
	}
	retention, err := globalBucketObjectLockSys.Get(mux.Vars(r)["bucket"])
	if err != nil {
		return nil, ErrInvalidBucketObjectLockConfiguration
	}
	if retention.LockEnabled && retention.Validity > 0 {
		return ebsguard.RefuseLegalHoldAlone(), ErrNone
	}
	return nil, ErrNone
}

func ebsForm(w http.ResponseWriter, r *http.Request) (*ebsguard.Refusal, APIErrorCode) {
	bucket := mux.Vars(r)["bucket"]
	fields, again, refusal := ebsguard.ReadForm(r.Header.Get("Content-Type"), r.Body)
	r.Body = ebsBody{again, r.Body}
	if refusal != nil {
		return refusal, ErrNone
	}
	// as MinIO does before it checks the signature
	fields.Set("Bucket", bucket)
	if _, apiErr := doesPolicySignatureMatch(fields); apiErr != ErrNone {
		return nil, apiErr
	}
	retention, err := globalBucketObjectLockSys.Get(bucket)
	if err != nil && !isErrBucketNotFound(err) {
		return nil, ErrInvalidBucketObjectLockConfiguration
	}
	if retention.LockEnabled {
		return ebsguard.RefuseForm(), ErrNone
	}
	return nil, ErrNone
}

func ebsCompletesUpload(w http.ResponseWriter, r *http.Request) (*ebsguard.Refusal, APIErrorCode) {
	if apiErr := ebsMayPut(w, r); apiErr != ErrNone {
		return nil, apiErr
	}
	if r.ContentLength > ebsMaxCompleteSize {
		return nil, ErrEntityTooLarge
	}
	body, apiErr := ebsReadBody(r, ebsMaxCompleteSize)
	if apiErr != ErrNone {
		return nil, apiErr
	}
	upload := &CompleteMultipartUpload{}
	if err := xmlDecoder(bytes.NewReader(body), upload, r.ContentLength); err != nil {
		// MinIO reads the same and refuses it
		return nil, ErrNone
	}
	numbers := make([]int, 0, len(upload.Parts))
	for _, part := range upload.Parts {
		numbers = append(numbers, part.PartNumber)
	}
	return ebsguard.RepeatsPart(numbers), ErrNone
}

func ebsBypassesRetention(w http.ResponseWriter, r *http.Request) (*ebsguard.Refusal, APIErrorCode) {
	ctx := newContext(r, w, "EBSGuard")
	authentic := ebsWithoutBody(r)
	if apiErr := authenticateRequest(ctx, authentic, policy.BypassGovernanceRetentionAction); apiErr != ErrNone {
		return nil, apiErr
	}
	if authorizeRequest(ctx, authentic, policy.BypassGovernanceRetentionAction) != ErrNone {
		return ebsguard.RefuseBypass(), ErrNone
	}
	body, apiErr := ebsReadBody(r, ebsMaxCompleteSize)
	if apiErr != ErrNone {
		return nil, apiErr
	}
	retention, err := objectlock.ParseObjectRetention(bytes.NewReader(body))
	if err != nil {
		// MinIO reads the same and refuses it
		return nil, ErrNone
	}
	info := logger.GetReqInfo(ctx)
	if !ebsMayPutRetention(authentic, info.BucketName, info.ObjectName, retention, info.Cred, info.Owner) {
		return ebsguard.RefuseBypass(), ErrNone
	}
	return nil, ErrNone
}

func ebsDeletesByForce(w http.ResponseWriter, r *http.Request) (*ebsguard.Refusal, APIErrorCode) {
	ctx := newContext(r, w, "EBSGuard")
	authentic := ebsWithoutBody(r)
	if apiErr := authenticateRequest(ctx, authentic, policy.DeleteObjectAction); apiErr != ErrNone {
		return nil, apiErr
	}
	if authorizeRequest(ctx, authentic, policy.DeleteObjectAction) != ErrNone {
		return nil, ErrAccessDenied
	}
	if authorizeRequest(ctx, authentic, policy.DeleteObjectVersionAction) != ErrNone {
		return ebsguard.RefuseForceDelete(), ErrNone
	}
	return nil, ErrNone
}

// ebsMayPutRetention asks as MinIO does for a request that bypasses nothing, with the same conditions.
func ebsMayPutRetention(r *http.Request, bucket, object string, retention *objectlock.ObjectRetention, cred auth.Credentials, owner bool) bool {
	now, err := objectlock.UTCNowNTP()
	if err != nil {
		return false
	}
	days := int(math.Ceil(math.Abs(retention.RetainUntilDate.Sub(now).Hours()) / 24))
	return isPutRetentionAllowed(bucket, object, days, retention.RetainUntilDate.Time, retention.Mode, false, r, cred, owner) == ErrNone
}

// ebsMayPut checks signature and rights as MinIO's handlers do; of a body in chunks the signature of the headers.
func ebsMayPut(w http.ResponseWriter, r *http.Request) APIErrorCode {
	authentic := ebsWithoutBody(r)
	authType := getRequestAuthType(authentic)
	apiErr := APIErrorCode(ErrNone)
	switch authType {
	case authTypeStreamingSigned, authTypeStreamingSignedTrailer:
		_, _, _, _, apiErr = calculateSeedSignature(authentic, authType == authTypeStreamingSignedTrailer)
	case authTypeStreamingUnsignedTrailer:
		apiErr = doesSignatureMatch(unsignedPayloadTrailer, authentic, globalSite.Region(), serviceS3)
	case authTypeSignedV2, authTypePresignedV2:
		apiErr = isReqAuthenticatedV2(authentic)
	case authTypeSigned, authTypePresigned:
		apiErr = reqSignatureV4Verify(authentic, globalSite.Region(), serviceS3)
	case authTypeAnonymous:
	default:
		apiErr = ErrSignatureVersionNotSupported
	}
	if apiErr != ErrNone {
		return apiErr
	}
	ctx := newContext(authentic, w, "EBSGuard")
	info := logger.GetReqInfo(ctx)
	return isPutActionAllowed(ctx, authType, info.BucketName, info.ObjectName, authentic, policy.PutObjectAction)
}

// ebsWithoutBody is for checks that may replace body and form of a request.
func ebsWithoutBody(r *http.Request) *http.Request {
	copied := *r
	copied.Body = http.NoBody
	return &copied
}

// ebsReadBody reads a small body, which the handler then reads again.
func ebsReadBody(r *http.Request, limit int64) ([]byte, APIErrorCode) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, ErrIncompleteBody
	}
	if int64(len(body)) > limit {
		return nil, ErrEntityTooLarge
	}
	r.Body = ebsBody{bytes.NewReader(body), r.Body}
	return body, ErrNone
}

type ebsBody struct {
	io.Reader
	io.Closer
}

func ebsRefuse(w http.ResponseWriter, r *http.Request, api string, apiErr APIError) {
	if trace, ok := r.Context().Value(mcontext.ContextTraceKey).(*mcontext.TraceCtxt); ok {
		trace.FuncName = "s3." + api
		trace.ResponseRecorder.LogErrBody = true
	}
	ctx := newContext(r, w, api)
	defer logger.AuditLog(ctx, w, r, mustGetClaimsFromToken(r))
	atomic.AddUint64(&globalHTTPStats.rejectedRequestsInvalid, 1)
	if r.Method == http.MethodHead {
		writeErrorResponseHeadersOnly(w, apiErr)
		return
	}
	writeErrorResponse(ctx, w, apiErr, r.URL)
}
