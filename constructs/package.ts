/**
 * Encrypted backup storage as constructs for a CDKTF app: MinIO, whose every byte is encrypted under keys that only the key
 * store holds, with KES and Vault. docs/constructs.md has a whole app.
 *
 * @packageDocumentation
 */
export { PostDeployChecks, type PostDeployChecksProps } from './checks/post-deploy-checks';
export { DeclarationError } from './declaration-error';
export {
  Deployment,
  DeploymentBase,
  type DeploymentParts,
  type DeploymentProps,
  type DeploymentSettings,
} from './deployment';
export { Foundation, type FoundationProps } from './foundation';
export { KesConfigurationFile, type KesConfigurationFileProps, KesServer, type KesServerProps } from './kes/kes-server';
export { type Kms, MasterKeys, type MasterKeysProps } from './kes/master-keys';
export { Buckets, type BucketsProps } from './minio/buckets';
export { MinioServer, type MinioServerProps } from './minio/minio-server';
export type { OperationRunner } from './operation';
export { Certificates, type CertificatesProps, type IssuedCertificate } from './tls/certificates';
export { KeyStore, type KeyStoreProps } from './vault/key-store';
export { VaultServer, type VaultServerProps } from './vault/vault-server';
