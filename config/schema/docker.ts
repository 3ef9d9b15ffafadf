/** Images, providers, and the Docker engines of several hosts. */
import { z } from 'zod';
import { engineHostProblem } from '../docker/docker-engine';
import { PROGRAM_PATHS } from '../docker/program-paths';
import { environmentName } from '../names';
import { PROVIDER_VERSIONS } from '../provider-versions';
import { absolutePath, named } from './values';

/** A reference that always names the same: by a digest, or by the hash of what was built here. */
const imageReference = z
  .string()
  .regex(
    /^(?:[^\s@]+@sha256:[0-9a-f]{64}|encrypted-backup-storage\/(?:vault|openbao|kes|minio|haproxy):[0-9a-f]{16})$/,
    {
      error: 'must be an image reference with a digest, such as quay.io/minio/minio@sha256:…',
    },
  );

export const providerVersions = {
  // the arguments that the constructs use are those of 5.x
  vault: z.string().regex(/^(?:[5-9]|[1-9]\d+)\.\d+\.\d+$/, {
    error: `must be an exact version from 5.0.0 on, such as ${PROVIDER_VERSIONS.vault}`,
  }),
  docker: z.string().regex(/^\d+\.\d+\.\d+$/, {
    error: `must be an exact version such as ${PROVIDER_VERSIONS.docker}`,
  }),
};

export const images = z.discriminatedUnion('source', [
  z.strictObject({ source: z.literal('build').describe('Build from pinned Go modules.') }),
  z.strictObject({
    source: z
      .literal('registry')
      .describe(
        'Pull by digest. An image that was built here and is on the Docker host is named as ./scripts/versions prints it.',
      ),
    vault: imageReference.optional().describe('Needed for an embedded Vault.'),
    openbao: imageReference.optional().describe('Needed for an embedded OpenBao, such as openbao/openbao by digest.'),
    kes: imageReference,
    minio: imageReference.describe(
      'Must hold mc, too, for its health check, as the images of quay.io/minio/minio do. The checks fail where it takes ' +
        'forged writes: push the image that is built here by ./scripts/images push.',
    ),
    haproxy: imageReference
      .optional()
      .describe('Needed for several hosts. Must hold busybox for its health check, as haproxy:lts-alpine does.'),
    programs: z
      .strictObject({
        vault: absolutePath.default(PROGRAM_PATHS.vault),
        openbao: absolutePath.default(PROGRAM_PATHS.openbao),
        kes: absolutePath.default(PROGRAM_PATHS.kes),
        minio: absolutePath.default(PROGRAM_PATHS.minio),
        mc: absolutePath.default(PROGRAM_PATHS.mc).describe('In the image of MinIO.'),
        haproxy: absolutePath.default(PROGRAM_PATHS.haproxy),
      })
      .prefault({})
      .describe(
        'Where the programs are in their images, such as minio: /usr/bin/silo for pgsty/silo. Default: where HashiCorp, ' +
          'OpenBao, MinIO and HAProxy have them.',
      ),
    dockerConfigFile: absolutePath
      .optional()
      .describe(
        'The file in which docker login keeps the logins of registries, such as ~/.docker/config.json with its whole ' +
          'path. Default: none, for a registry that lets everybody pull.',
      ),
  }),
]);

export const engineHost = z.string().superRefine((value, context) => {
  const problem = engineHostProblem(value);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

export const host = z.strictObject({
  name: named(environmentName).describe('Name of the host; stacks and certificates are named after it.'),
  docker: engineHost.describe('Its Docker engine: ssh://[user@]host[:port], tcp://host:port or unix:///path.'),
  certificates: absolutePath
    .optional()
    .describe('Folder with ca.pem, cert.pem and key.pem, for an engine that begins with tcp://.'),
  address: z
    .ipv4({ error: 'must be an IPv4 address, because the containers of a Docker network reach no other by default' })
    .describe('Address by which the other hosts and this machine reach it.'),
});
