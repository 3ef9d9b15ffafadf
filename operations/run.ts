/**
 * Runs one operation by name, as a `local-exec` of a stack does: the input is JSON in `EBS_OPERATION_INPUT`, progress
 * goes to stderr, and a failure ends with exit code 1 and says what to do.
 */
import { rmSync } from 'node:fs';
import { z } from 'zod';
import { type OperationInput, operationInputs, type OperationName } from '../config/operation-inputs';
import { UsageError } from './lib/errors';
import { printError } from './lib/print-error';

type Operations = { readonly [N in OperationName]: () => Promise<(input: OperationInput<N>) => Promise<unknown>> };

/** Each is loaded only when it runs: the S3 client alone takes longer to load than most operations to finish. */
const operations: Operations = {
  'remember-engine': async () => (await import('./docker/engine/engine-identity.js')).rememberThisEngine,
  'issue-certificates': async () => (await import('./certificates/issue-certificates.js')).issueCertificates,
  'import-trusted-cas': async () => (await import('./certificates/import-trusted-cas.js')).importTrustedCAs,
  'import-certificates': async () => (await import('./certificates/import-certificates.js')).importCertificates,
  'order-certificates': async () => (await import('./certificates/order-certificates.js')).orderCertificates,
  'create-root-credentials': async () => (await import('./minio/create-root-credentials.js')).createRootCredentials,
  'store-aws-credentials': async () => (await import('./keys/aws-credentials.js')).storeAwsCredentials,
  'initialize-vault': async () => (await import('./vault/initialize-vault.js')).initializeVault,
  'await-vault-node': async () => (await import('./vault/await-vault-node.js')).awaitVaultNode,
  'write-kes-configuration': async () => (await import('./kes/write-kes-configuration.js')).writeKesConfiguration,
  'await-kes-node': async () => (await import('./kes/await-kes-node.js')).awaitKesNode,
  'reload-container': async () => (await import('./docker/reload-container.js')).reloadContainer,
  'create-master-keys': async () => (await import('./keys/create-master-keys.js')).createMasterKeys,
  'await-minio-node': async () => (await import('./minio/await-minio-node.js')).awaitMinioNode,
  'provision-identities': async () => (await import('./minio/provision-identities.js')).provisionIdentities,
  'provision-buckets': async () => (await import('./minio/objects/provision-buckets.js')).provisionBuckets,
  'provision-clients': async () => (await import('./minio/clients/provision-clients.js')).provisionClients,
  'run-checks': async () => (await import('./checks/run-checks.js')).runChecks,
};

async function run(name: OperationName, rawInput: string): Promise<void> {
  const parsed = operationInputs[name].safeParse(JSON.parse(rawInput));
  if (!parsed.success) throw new Error(`input of ${name}: ${z.prettifyError(parsed.error)}`);
  // the table above pairs every operation with its own input; TypeScript cannot follow the name through both
  const operation = (await operations[name]()) as (input: unknown) => Promise<void>;
  await operation(parsed.data);
}

const [name = ''] = process.argv.slice(2);
const input = process.env.EBS_OPERATION_INPUT;
Promise.resolve()
  .then(async () => {
    if (!(name in operations) || input === undefined) {
      throw new UsageError(
        `operations/run must be called with an operation and EBS_OPERATION_INPUT, got: ${name || 'nothing'}`,
        `operations are ${Object.keys(operations).join(', ')}`,
      );
    }
    await run(name as OperationName, input);
    const journal = process.env.EBS_OPERATION_JOURNAL;
    if (journal !== undefined) rmSync(`${journal}.running`, { force: true });
  })
  .then(
    () => process.exit(0),
    (error: unknown) => process.exit(printError(error)),
  );
