import { App, TerraformStack } from 'cdktf';
import * as storage from 'encrypted-backup-storage';
import deployments from './deployments.json';

/** Vault, and what everything else stands on. */
function declareBase(app: App, deployment: storage.Deployment) {
  const stack = new TerraformStack(app, `${deployment.name}-base`);
  deployment.useDocker(stack);
  const { ca } = new storage.Foundation(stack, 'Foundation', { deployment });
  new storage.VaultServer(stack, 'Vault', { deployment, certificate: ca.issue('vault') });
  return { stack, ca };
}

/** KES and MinIO. Vault must run before the place of the keys can be declared in it. */
function declareStorage(app: App, deployment: storage.Deployment) {
  const base = declareBase(app, deployment);
  const stack = new TerraformStack(app, `${deployment.name}-storage`);
  stack.addDependency(base.stack);
  deployment.useDocker(stack);
  deployment.useVault(stack);
  const { ca } = base;
  const keyStore = new storage.KeyStore(stack, 'KeyStore', { deployment });
  const configuration = new storage.KesConfigurationFile(stack, 'KesConfiguration', { deployment, ca, keyStore });
  const kes = new storage.KesServer(stack, 'Kes', { deployment, configuration, certificate: ca.issue('kes') });
  const keys = new storage.MasterKeys(stack, 'MasterKeys', { deployment, kes });
  const certificate = ca.issue('minio');
  const minio = new storage.MinioServer(stack, 'Minio', { deployment, kes: keys.asKmsFor('minio'), certificate });
  const buckets = new storage.Buckets(stack, 'Buckets', { deployment, minio });
  const triggers = { keys: keys.runId, minio: minio.runId, buckets: buckets.runId };
  new storage.PostDeployChecks(stack, 'Checks', { deployment, triggers });
}

const app = new App();
for (const settings of deployments as storage.DeploymentProps[]) declareStorage(app, new storage.Deployment(settings));
app.synth();
