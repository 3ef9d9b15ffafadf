/** Whether KES runs with the configuration that was declared. */
import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { vaultVariables } from '../../../config/vault/external-vault';
import { kesConfiguration } from '../../../config/keys/key-store';
import { KES_FILES, KES_RELOADED, type KesLogin, renderKesConfiguration } from '../../../config/kes/kes-configuration';
import { loaderOf, type Node, nodesOf, onHost } from '../../../config/node';
import { retiredKeysByClient } from '../../state/notes/retired-keys';
import { readAwsCredentials } from '../../keys/aws-credentials';
import { kesIdentities } from '../../kes/kes-identity';
import { CheckFailure, type Evidence, type ServiceCheck, type ServiceContext } from '../check';
import { containerOf, createdAt, type ServiceContainer } from '../at-rest/containers';
import { differences, flat, someOf } from './differences';
import { credentialsOfKes, yamlValue } from '../health/vault';

const kesConfigurationDeclared: ServiceCheck = {
  from: 'deployment',
  needs: 'kes',
  id: 'kes-configuration',
  title: 'KES runs with the declared configuration, and knows no other client',
  proves:
    'The configuration of KES, byte for byte, is what the environment file declares: clients by their certificates, ' +
    'what each may do, no admin, cache and key store; and KES has read it.',
  doesNotProve: 'That the program called KES is KES: images are pinned, and trusted.',
  severity: 'critical',
  run: async (context) => {
    const [first, ...others] = nodesOf(context.loaded.environment);
    const evidence = await lookAt(context, first);
    for (const node of others) await lookAt(context, node);
    return evidence;
  },
};

async function lookAt(context: ServiceContext, node: Node): Promise<Evidence> {
  const { state } = context.loaded;
  const { kes } = node;
  const container = await containerOf(node, kes.container);
  const [delivered, loader] = await Promise.all([
    container.read(KES_FILES.configuration),
    containerOf(node, loaderOf(kes.files)),
  ]);
  const written = readFileSync(state.secret.kesConfiguration);
  const declared = declaredConfiguration(context);
  const again = `./scripts/up ${context.loaded.argument}`;
  if (!delivered.equals(written)) {
    const found = differencesOf(yamlValue(written.toString('utf8')), delivered);
    throw new CheckFailure(
      `KES${onHost(node)} has another configuration than the one that was written for it: ${someOf(found)}`,
      `\`docker rm -f ${container.name} ${loader.name}\`${onHost(node)}, then ${again}: it creates them again; find out who changed ` +
        `${KES_FILES.configuration} in the volume ${kes.files}`,
      { differences: found },
    );
  }
  const found = differencesOf(declared, delivered);
  if (found.length > 0) {
    throw new CheckFailure(
      `the configuration of KES${onHost(node)} is not the declared one: ${someOf(found)}`,
      `${again} deploys a changed environment file; if ${state.secret.kesConfiguration} was edited, put it back`,
      { differences: found },
    );
  }
  const loaded = await hasLoaded(container, await createdAt(loader));
  if (loaded === false) {
    throw new CheckFailure(
      `KES${onHost(node)} has not read its configuration since it was delivered and runs with an older one`,
      `\`docker restart ${container.name}\`${onHost(node)}`,
    );
  }
  return {
    clients: Object.keys(declared.policy as object),
    bytes: delivered.length,
    readSinceDelivered: loaded ?? 'unknown: its log does not reach back so far',
  };
}

/** In the order in which they are reported. */
export const kesDriftChecks: readonly ServiceCheck[] = [kesConfigurationDeclared];

/** What would be written now: with the credentials of the present file, because only Vault knows others. */
function declaredConfiguration(context: ServiceContext): Record<string, unknown> {
  const { environment, state } = context.loaded;
  const retired = retiredKeysByClient(environment, state);
  const configuration = kesConfiguration(environment, retired, vaultVariables(process.env));
  const identities = kesIdentities(configuration.clients, state.tls);
  return renderKesConfiguration(configuration, { identities, login: loginOf(context) });
}

function loginOf(context: ServiceContext): KesLogin {
  const { environment, state } = context.loaded;
  const { keyStore } = environment;
  switch (keyStore.type) {
    case 'vault':
      return { type: 'vault', ...credentialsOfKes(context) };
    case 'aws':
      if (keyStore.credentials === 'instance-role') return { type: 'aws' };
      return { type: 'aws', credentials: readAwsCredentials(state.secret.awsCredentials) };
    case 'filesystem':
      return { type: 'filesystem' };
  }
}

/** The values below `keystore` are or lie near credentials. */
function differencesOf(declared: unknown, delivered: Buffer): string[] {
  const text = delivered.toString('utf8');
  if (text === stringify(declared)) return [];
  const actual = yamlValue(text);
  if (actual === undefined) return ['it is not YAML'];
  const found = differences(flat(declared), flat(actual), (name) => name.startsWith('keystore.'));
  return found.length > 0 ? found : ['the same values are written in another way'];
}

/** Whether KES has read its files after they were delivered; undefined if it cannot be told. */
async function hasLoaded(container: ServiceContainer, delivered: Date | undefined): Promise<boolean | undefined> {
  if (delivered === undefined) return undefined;
  const { State } = await container.inspect();
  if (new Date(State.StartedAt) >= delivered) return true;
  const seconds = Math.floor(delivered.getTime() / 1000);
  const log = await container.logsSince(seconds);
  if (log.includes(KES_RELOADED.success)) return true;
  return (await container.hasLogsBefore(seconds)) ? false : undefined;
}
