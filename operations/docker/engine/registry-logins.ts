/** How to log in to a registry, from the file that `docker login` writes. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { registryOf } from '../../../config/docker/image-registry';
import { messageOf, UsageError } from '../../lib/errors';

export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

const dockerConfig = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).default({}),
});
const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/**
 * The login for the registry of an image.
 *
 * @param file Docker's `config.json`
 * @returns undefined if the file has none
 * @throws UsageError if the file or its credential helper cannot be used
 */
export function registryLogin(file: string, reference: string): RegistryLogin | undefined {
  // Docker Hub, under the name that docker login has for it
  const registry = registryOf(reference) ?? 'https://index.docker.io/v1/';
  const config = readConfig(file);
  const helper = config.credHelpers[registry] ?? config.credsStore;
  if (helper !== undefined) return askHelper(helper, registry);
  const auth = config.auths[registry]?.auth;
  if (auth === undefined) return undefined;
  const [username = '', ...password] = Buffer.from(auth, 'base64').toString('utf8').split(':');
  return { username, password: password.join(':') };
}

function readConfig(file: string): z.infer<typeof dockerConfig> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(
      `images.dockerConfigFile: ${file} cannot be read: ${messageOf(error)}`,
      'docker login writes it, by default as ~/.docker/config.json',
    );
  }
  try {
    return dockerConfig.parse(JSON.parse(text));
  } catch {
    // what is wrong would quote the line, and a password with it
    throw new UsageError(`images.dockerConfigFile: ${file} is not a configuration file of Docker`);
  }
}

function askHelper(helper: string, registry: string): RegistryLogin {
  try {
    const answer = execFileSync(`docker-credential-${helper}`, ['get'], {
      input: registry,
      env: process.env,
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: 30_000,
    });
    const { Username, Secret } = helperAnswer.parse(JSON.parse(answer.toString('utf8')));
    return { username: Username, password: Secret };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it is not on PATH' : 'it has no login';
    throw new UsageError(
      `docker-credential-${helper} cannot be asked for a login of ${registry}: ${reason}`,
      `log in again: docker login ${registry}`,
    );
  }
}
