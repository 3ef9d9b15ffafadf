/** Name of MinIO's IAM policy that denies SSE-C, with `minio.sseC: deny`. */
export const DENY_SSE_C_POLICY = 'ebs-deny-sse-c';

/**
 * Keeps whoever it is attached to, beside the policies that allow something, from writing objects under keys of their
 * own: such an object is lost with a key that no backup of this deployment holds. Reading stays as it is.
 *
 * The condition is about a header that MinIO sees for PUT, copies and multipart uploads, which it all calls `PutObject`
 * (minio/pkg v3.1.3, policy/condition/keyname.go). A policy of a bucket would not do: MinIO asks it about anonymous
 * requests only (minio/minio, cmd/auth-handler.go).
 */
export const denySseCStatement = {
  Effect: 'Deny',
  Action: ['s3:PutObject'],
  Resource: ['arn:aws:s3:::*'],
  Condition: { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': [false] } },
} as const;

export const denySseCPolicy = { Version: '2012-10-17', Statement: [denySseCStatement] } as const;
