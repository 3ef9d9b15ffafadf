import { PROGRAM_PATHS } from '../../../config/docker/program-paths';
import { buildUnguardedImage } from '../../helpers/e2e/unguarded-image';
import type { PlantedFault } from './planted-fault';

/** What is said where images are built here, and so have the guard. */
const DEPLOY_OURS = /has the guard: `\.\/scripts\/up` deploys it/;

export const holeFaults: readonly PlantedFault[] = [
  {
    name: 'MinIO runs without the guard',
    red: {
      'forged-writes-refused': {
        message:
          /^unsigned-streaming: an object is written without a signature, a part .*; archive-upload: .*; unsigned-header: /,
        fix: DEPLOY_OURS,
      },
      'locked-versions-survive': {
        message: /^version-on-write: .*; replica-claim: .*; retention-bypass: .*; legal-hold-alone: .*; form-upload: /,
        fix: DEPLOY_OURS,
      },
      'internal-headers-refused': {
        message: /^internal-header: a header of replication makes an object unreadable, .*; duplicate-part: /,
        fix: DEPLOY_OURS,
      },
      'forwarded-headers-ignored': {
        message: /^forwarded-address: x-forwarded-for decides what a policy allows, x-real-ip .*, forwarded /,
        fix: DEPLOY_OURS,
      },
    },
    alsoRed: { 'clients-confined': 'a header opens what is outside of its prefix' },
    plant: async (bench) => {
      const tag = `${bench.containerName('minio')}:unguarded`;
      const { Config } = await bench.container('minio').inspect();
      await buildUnguardedImage(bench.docker, tag, Config.Image, PROGRAM_PATHS.minio);
      bench.mendBy(async () => bench.docker.getImage(tag).remove({ force: true }));
      await bench.replaceContainer('minio', (options) => ({ ...options, Image: tag }));
    },
  },
];
