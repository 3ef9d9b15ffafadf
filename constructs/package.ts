/**
 * Encrypted backup storage as constructs for a CDKTF app: MinIO, whose every byte is encrypted under keys that only the key
 * store holds, with KES and Vault. docs/constructs.md has a whole app.
 *
 * @packageDocumentation
 */
export type { DockerSettings, EngineAddress } from '../config/docker/docker-engine';
export type { ImageSource, Program } from '../config/docker/image-source';
export type {
  EmbeddedVault,
  Environment,
  EnvironmentInput,
  KeyStoreSettings,
  VaultDistribution,
  VaultKeyStoreSettings,
  VaultSettings,
} from '../config/environment';
export type { RetiredKeys } from '../config/kes/kes-clients';
export type {
  BalancerNode,
  Drive,
  KesNode,
  MinioNode,
  Node,
  Nodes,
  NodeServer,
  NodeService,
  VaultHost,
  VaultNode,
} from '../config/node';
export type { VaultAccess } from '../config/state/endpoints';
export type { StateLayout } from '../config/state/layout';
export type { Toolchain } from '../config/toolchain';
export type { VaultVariables } from '../config/vault/external-vault';
export type { KeyLocation } from '../config/vault/vault-policies';
export { PostDeployChecks, type PostDeployChecksProps } from './checks/post-deploy-checks';
export { DeclarationError } from './declaration-error';
export {
  Deployment,
  DeploymentBase,
  type DeploymentParts,
  type DeploymentProps,
  type DeploymentSettings,
} from './deployment';
export type { ServiceContainer } from './docker';
export { Foundation, type FoundationProps } from './foundation';
export { KesConfigurationFile, type KesConfigurationFileProps, KesServer, type KesServerProps } from './kes/kes-server';
export { type Kms, MasterKeys, type MasterKeysProps } from './kes/master-keys';
export { Buckets, type BucketsProps } from './minio/buckets';
export { Clients, type ClientsProps } from './minio/clients';
export { MinioServer, type MinioServerProps } from './minio/minio-server';
export type { OperationRunner } from './operation';
export { Certificates, type CertificatesProps, type IssuedCertificate } from './tls/certificates';
export { KeyStore, type KeyStoreProps } from './vault/key-store';
export { VaultServer, type VaultServerProps } from './vault/vault-server';
