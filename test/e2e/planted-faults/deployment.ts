import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeFileAtomically } from '../../../operations/lib/files';
import { reloadContainer } from '../../../operations/docker/reload-container';
import { certificateOf } from '../../helpers/e2e/certificate-of';
import type { Workbench } from '../../helpers/e2e/workbench';
import type { PlantedFault } from './planted-fault';

interface KesFile {
  tls: { auth: string };
  policy: Record<string, { allow: string[]; identities: string[] }>;
}

const ANOTHER_CONFIGURATION = /^KES has another configuration than the one that was written for it: /;

export const deploymentFaults: readonly PlantedFault[] = [
  {
    name: 'KES knows a client that nobody declared',
    red: {
      'kes-configuration': {
        message: new RegExp(`${ANOTHER_CONFIGURATION.source}policy\\.intruder\\.allow.* is not declared; .*identities`),
        fix: /^`docker rm -f ebs-.*-kes ebs-.*-kes-files-loader`, then \.\/scripts\/up/,
      },
    },
    plant: async (bench) => {
      await bench.configureKes<KesFile>((configuration) => ({
        ...configuration,
        policy: {
          ...configuration.policy,
          intruder: { allow: ['/v1/key/decrypt/*'], identities: ['0123456789abcdef'.repeat(4)] },
        },
      }));
    },
  },
  {
    name: 'MinIO may create and delete keys',
    red: {
      'kes-configuration': {
        message: new RegExp(
          `${ANOTHER_CONFIGURATION.source}policy\\.minio\\.allow\\[/v1/key/create/\\*\\] is not declared`,
        ),
        fix: /^`docker rm -f ebs-.*-kes ebs-.*-kes-files-loader`/,
      },
      'kes-clients-confined': {
        message: /^not declared: minio may PUT \/v1\/key\/create\/ebs-check-[0-9a-f]+-; /,
        fix: /kes-configuration says which/,
      },
    },
    plant: async (bench) => {
      await bench.configureKes<KesFile>((configuration) => {
        configuration.policy.minio?.allow.push('/v1/key/create/*', '/v1/key/delete/*');
        return configuration;
      });
    },
  },
  {
    name: 'KES verifies no client certificates',
    red: {
      'kes-configuration': {
        message: new RegExp(`${ANOTHER_CONFIGURATION.source}tls\\.auth is "off", declared "on"$`),
        fix: /^`docker rm -f ebs-.*-kes ebs-.*-kes-files-loader`/,
      },
      'kes-strangers-refused': {
        message:
          /^a client with a self-signed certificate gets an answer from KES to a request for a data key: HTTP 403$/,
        fix: /tls\.auth: on/,
      },
    },
    plant: async (bench) => {
      await bench.configureKes<KesFile>((configuration) => ({
        ...configuration,
        tls: { ...configuration.tls, auth: 'off' },
      }));
    },
  },
  {
    name: 'the environment file was changed and not deployed',
    red: {
      'kes-configuration': {
        message: /^the configuration of KES is not the declared one: cache\.expiry\.any is "5m", declared "10m"$/,
        fix: /\.\/scripts\/up .* deploys a changed environment file/,
      },
    },
    plant: async (bench) => {
      bench.declare((environment) => ({
        ...environment,
        kes: { ...environment.kes, cache: { ...environment.kes.cache, any: '10m' } },
      }));
      return Promise.resolve();
    },
  },
  {
    name: 'KES runs in a container that may write to its image and has a capability',
    red: {
      'containers-hardened': {
        message: /^ebs-.*-kes: readOnly is false, declared true; ebs-.*-kes: capabilitiesAdded is ".*NET_ADMIN"/,
        fix: /^`docker rm -f ebs-.*-kes`, then \.\/scripts\/up .*: it creates them again, and their volumes stay$/,
      },
    },
    plant: async (bench) => {
      await bench.replaceContainer('kes', (options) => ({
        ...options,
        HostConfig: { ...options.HostConfig, ReadonlyRootfs: false, CapAdd: ['NET_ADMIN'] },
      }));
    },
  },
  {
    name: 'MinIO runs with a setting that nobody declared',
    red: {
      'minio-configuration': {
        message: /^MINIO_BROWSER is "on", declared "off"; MINIO_API_CORS_ALLOW_ORIGIN is not declared$/,
        fix: /^`docker rm -f ebs-.*-minio`, then \.\/scripts\/up/,
      },
    },
    plant: async (bench) =>
      bench.runMinioWith({ MINIO_BROWSER: 'on', MINIO_API_CORS_ALLOW_ORIGIN: 'https://example.com' }),
  },
  {
    // on a machine whose disks are all encrypted it cannot be planted
    name: 'disk encryption is required, and the disks are plain',
    red: {
      'disk-encryption': {
        message: /^not encrypted: \/dev\/\S+ \(beneath drive ebs-.*-minio-data, /,
        fix: /^put it on LUKS, docs\/security\.md#disk-encryption/,
      },
    },
    plant: async (bench) => {
      bench.declare((environment) => ({ ...environment, requireDiskEncryption: true }));
      return Promise.resolve();
    },
  },
  {
    name: 'a client certificate has expired',
    red: {
      'certificates-valid': {
        message: /^key-creator expired [\d.]+ days ago$/,
        fix: /^\.\/scripts\/up .* renews certificates/,
      },
    },
    alsoRed: { 'kes-clients-confined': 'with that certificate there is no connection to KES' },
    plant: async (bench) => {
      const file = path.join(bench.deployed.state.tls, 'key-creator.crt');
      const own = readFileSync(file, 'utf8');
      const expired = await certificateOf(bench.deployed.state, 'key-creator', -2);
      bench.mendBy(async () => {
        writeFileAtomically(file, own, 0o644);
        return Promise.resolve();
      });
      writeFileAtomically(file, expired, 0o644);
    },
  },
  {
    name: 'MinIO serves another certificate than the present one',
    red: {
      'certificates-valid': {
        message: /^minio-server: https:.* serves another certificate than the one in .*tls \([0-9A-F:]+\)$/,
        fix: /^\.\/scripts\/up .* has them served/,
      },
    },
    plant: async (bench) => {
      const { state } = bench.deployed;
      bench.mendBy(async () => serve(bench, path.join(state.tls, 'minio-server.crt')));
      const folder = mkdtempSync(path.join(tmpdir(), 'ebs-fault-'));
      try {
        const file = path.join(folder, 'other.crt');
        writeFileSync(file, await certificateOf(state, 'minio-server', 100));
        await bench.changeFiles('minio', { 'certs/public.crt': readFileSync(file) });
        await serve(bench, file);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },
];

/** Has MinIO read its files again, until it serves a certificate. */
async function serve(bench: Workbench, certificateFile: string): Promise<void> {
  const { caFile } = bench.realS3;
  await reloadContainer({
    container: bench.containerName('minio'),
    signal: 'SIGHUP',
    proof: {
      kind: 'certificates',
      url: bench.realS3.url,
      certificates: [{ file: certificateFile, ...(caFile === undefined ? {} : { caFile }) }],
    },
  });
}
