/** What is asked of a key store before anything is deployed with it. */
import { existsSync } from 'node:fs';
import { vaultNames } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { type DockerSettings, remoteMachine, resolveEngine } from '../../config/docker/docker-engine';
import { masterKeys } from '../../config/keys/master-keys';
import { externalVaultAddress, vaultVariables } from '../../config/vault/external-vault';
import { metricsPolicy, provisionerPolicy, provisionerRules } from '../../config/keys/key-store';
import { declaredPlace, inSameVault } from '../../config/keys/key-store-place';
import { readKeyStoreNote } from '../state/notes/key-store-note';
import { isLoadedInVault, type LoadedEnvironment } from '../state/load';
import { publishedUrl } from '../../config/docker/reachable';
import { embeddedVaultEndpoint } from '../../config/state/endpoints';
import { requireUsableVault } from '../vault/external-vault-preflight';
import { KEYS_BESIDE_DATA, requireKeyFolder } from './key-folder-preflight';
import { declaredSeal, describeSeal, sealAccess } from '../../config/vault/seal';
import { shareFiles } from '../state/notes/seal-note';
import { requireUsableSeal } from '../vault/seal';
import { requireProvisioner } from '../vault/provisioner';
import { isDue } from '../certificates/renewal';
import { deployedPaths } from '../terraform/terraform-state';
import type { Step } from '../lib/step';
import { readVaultToken } from '../vault/vault-token';
import { shortPath } from '../lib/text/short-path';

/** @param knownKeys master keys that must be there already */
export function keyStoreSteps(loaded: LoadedEnvironment, knownKeys: readonly string[]): Step[] {
  const { environment } = loaded;
  return [
    ...externalVaultStep(loaded),
    ...embeddedVaultStep(loaded),
    ...keyFolderStep(environment),
    ...awsStep(loaded, knownKeys),
  ];
}

function externalVaultStep(loaded: LoadedEnvironment): Step[] {
  if (!isLoadedInVault(loaded)) return [];
  const { environment, file, state } = loaded;
  const { keyStore } = environment;
  const { vault } = keyStore;
  if (vault.mode !== 'external') return [];
  return [
    {
      title: 'Vault',
      run: async ({ announce }) => {
        const address = externalVaultAddress(vault, vaultVariables(process.env));
        await requireUsableVault({
          address,
          token: readVaultToken(vault.tokenFile),
          rights: provisionerRules(environment),
          keyStore,
          made: await madeHere(loaded),
          mintPath: `auth/${keyStore.approle.mount}/role/${vaultNames(environment).kesRole}/secret-id`,
          needsSecretId: !existsSync(state.secret.kesConfiguration) || isDue(state.secretIdNote),
          policyCommand: `./scripts/policy ${shortPath(file)}`,
          announce,
        });
        return address.url;
      },
    },
  ];
}

function embeddedVaultStep(loaded: LoadedEnvironment): Step[] {
  if (!isLoadedInVault(loaded)) return [];
  const { environment, state } = loaded;
  const { vault } = environment.keyStore;
  if (vault.mode !== 'embedded') return [];
  const metrics = metricsPolicy(environment);
  return [
    {
      title: 'Vault',
      run: async ({ announce }) => {
        const seal = declaredSeal(vault);
        if (seal !== undefined) {
          const { ttl, periodic } = await requireUsableSeal(sealAccess(seal));
          if (ttl > 0 && !periodic) {
            announce(
              `the token of the seal ends in ${Math.floor(ttl / 3600)} h, and Vault cannot renew it for ever: make one with -period`,
            );
          }
        }
        const request = {
          threshold: vault.threshold,
          unsealShareFiles: shareFiles(state, vault.shares),
          provisionerTokenFile: state.secret.provisionerToken,
          provisionerPolicy: {
            name: vaultNames(environment).provisionerPolicy,
            document: provisionerPolicy(environment),
          },
          ...(metrics === undefined ? {} : { metrics: { tokenFile: state.secret.vaultMetricsToken, policy: metrics } }),
          renewalNote: `${state.tls}/provisioner-token.json`,
        };
        // a deployment from before the two addresses were apart has Vault at that of S3
        const endpoint = embeddedVaultEndpoint(environment, vault, state);
        const urls = new Set([endpoint.url, publishedUrl(environment.docker.publishAddress, vault.port)]);
        const places = environment.hosts === undefined ? [...urls].map((url) => ({ ...endpoint, url })) : [endpoint];
        let problem: string | undefined;
        for (const place of places) problem ??= await requireProvisioner({ ...request, endpoint: place });
        if (problem !== undefined) announce(`${problem}: the deploy makes both again by the unseal shares`);
        return seal === undefined ? undefined : `opened by ${describeSeal(sealAccess(seal))}`;
      },
    },
  ];
}

function awsStep({ environment, state }: LoadedEnvironment, knownKeys: readonly string[]): Step[] {
  const { keyStore } = environment;
  if (keyStore.type !== 'aws') return [];
  return [
    {
      title: 'AWS',
      run: async ({ announce }) => {
        // only where it is needed: it takes long to load
        const { requireUsableAws } = await import('./aws-preflight.js');
        const credentialsFile = state.secret.awsCredentials;
        const { trustedCAs } = environment;
        const keys = masterKeys(environment);
        return requireUsableAws({ keyStore, credentialsFile, trustedCAs, keys, knownKeys, announce });
      },
    },
  ];
}

/** What earlier deploys made in the declared Vault; of a migration's other one nothing is asked. */
async function madeHere({ environment, state }: LoadedEnvironment): Promise<ReadonlySet<string>> {
  const note = readKeyStoreNote(state);
  const deployed = note?.migration?.sourceForgotten === true ? note.migration.to : note?.place;
  const declared = declaredPlace(environment, vaultVariables(process.env));
  return deployed === undefined || inSameVault(deployed, declared)
    ? deployedPaths({ environment, state }, 'keystore')
    : new Set();
}

function keyFolderStep({ keyStore, docker }: Environment): Step[] {
  if (keyStore.type !== 'filesystem') return [];
  return [
    {
      title: 'Key folder',
      run: async ({ announce }) => {
        announce(KEYS_BESIDE_DATA);
        const { path: folder } = keyStore;
        if (folder !== undefined && isLocalEngine(docker)) requireKeyFolder(folder);
        return Promise.resolve(
          folder ?? `volume of ${remoteMachine(resolveEngine(docker, process.env)) ?? 'this host'}`,
        );
      },
    },
  ];
}

/** Whether the engine is on this machine; one behind a port of this machine may be anywhere. */
export function isLocalEngine(docker: DockerSettings): boolean {
  return resolveEngine(docker, process.env).transport === 'unix';
}
