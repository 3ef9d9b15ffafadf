/** The disaster, rehearsed on a copy: everything but the objects is lost, and restored from a backup. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import { nodesOf } from '../../../config/node';
import { dockerEngine } from '../../docker/docker';
import { dockerResourcesOf, tearDownSteps } from '../../docker/tear-down';
import type { Step } from '../../lib/step';
import type { LoadedEnvironment } from '../../state/load';
import { newIdentity } from '../age/age-keys';
import { backUp } from '../backup';
import { type DrillObject, firstOpening, openObjects } from './objects';
import { type Facts, script, writeStep } from './rehearse';

/** @param folder of the drill @param facts filled by the steps */
export function drillSteps(copy: LoadedEnvironment, folder: string, facts: Facts): Step[] {
  const { state } = copy;
  const identity = path.join(folder, 'identity.txt');
  const file = path.join(folder, 'backup.age');
  let objects: readonly DrillObject[] = [];
  let signer = '';
  return [
    { title: 'Deploy a copy', run: async ({ signal }) => script('up', [copy.file], signal) },
    writeStep(copy, facts, (written) => {
      objects = written;
    }),
    {
      title: 'Back up',
      run: async () => {
        const made = await backUp(copy, { kind: 'file', file }, [await newIdentity(identity)]);
        const { bytes } = made;
        signer = made.signer;
        facts.backupBytes = bytes;
        return `${bytes} bytes`;
      },
    },
    {
      title: 'Disaster',
      run: async (context) => {
        await lose(copy, context);
        rmSync(state.root, { recursive: true, force: true });
        return 'containers, Vault and state folder are gone; the drives are left';
      },
    },
    {
      title: 'Restore',
      run: async ({ signal }) => {
        const started = performance.now();
        const [first] = objects;
        if (first === undefined) throw new Error('no object was written');
        const done = new AbortController();
        const opening = firstOpening(() => copy, first, AbortSignal.any([done.signal, signal])).then((at) => {
          if (at !== undefined) facts.firstObjectSeconds = (performance.now() - started) / 1000;
        });
        try {
          const known = ['--identity', identity, '--signer', signer];
          await script('restore', ['--from', file, ...known, copy.file], signal);
        } finally {
          done.abort();
          await opening;
        }
        return undefined;
      },
    },
    {
      title: 'Open every object',
      run: async () => {
        await openObjects(copy, objects);
        facts.objectsSame = objects.length;
        return `${objects.length} are what was written`;
      },
    },
  ];
}

/** Everything but the objects: as if the host of Vault and of the deploys were gone. */
async function lose({ environment, state }: LoadedEnvironment, context: Parameters<Step['run']>[0]): Promise<void> {
  const docker = dockerEngine(environment.docker);
  const owner = { name: ENVIRONMENT_LABEL, value: environment.name };
  const loaded = { environment, state, file: '', argument: environment.name };
  for (const step of tearDownSteps({ docker, owner, loaded, deleteData: false })) {
    if (step.applies?.() ?? true) await step.run(context);
  }
  const { dataVolumes } = await dockerResourcesOf(docker, owner);
  const drives = nodesOf(environment)[0].minio.drives.map(({ source }) => source);
  for (const name of dataVolumes.filter((volume) => !drives.includes(volume))) await docker.getVolume(name).remove();
}
