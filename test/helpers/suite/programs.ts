/** What the end-to-end tests need on this machine. */
import path from 'node:path';
import { UsageError } from '../../../operations/lib/errors';
import { thisMachine } from '../../../operations/lib/machine';
import { projectRoot } from '../../../operations/lib/project-root';
import { install, type Missing } from '../../../operations/toolchain/prerequisites';
import { CLIENT_PROGRAMS, type ClientProgram, findClient, LONG_RUN_ONLY } from '../e2e/clients/client-programs';
import { hasPython, provideMoto } from '../e2e/servers/moto';
import { FAILED, NONE, spawned, type Suite } from './suite';

/** Images and providers; a success of it is no test. */
export const toolchain: Suite = {
  title: 'toolchain',
  run: async (signal) => {
    const code = await spawned(path.join(projectRoot, 'scripts', 'toolchain'), ['local'], signal);
    return code === 0 ? NONE : FAILED;
  },
};

/** The programs that the end-to-end tests drive: backup clients, a browser, an image registry; and Prometheus in the long run. */
export const clients = (long: boolean): Suite => ({
  title: 'clients',
  run: async (signal) => {
    const wanted = (Object.keys(CLIENT_PROGRAMS) as ClientProgram[]).filter((name) => long || !LONG_RUN_ONLY.has(name));
    const absent = wanted.filter((name) => findClient(name) === undefined);
    const missing = absent.map((name): Missing => {
      const { what, aptPackages } = CLIENT_PROGRAMS[name];
      return { what, aptPackages, elsewhere: `install the package ${aptPackages[0]}` };
    });
    await install(missing, thisMachine(), { signal, report: () => undefined, announce: () => undefined });
    const still = absent.filter((name) => findClient(name) === undefined);
    if (still.length > 0) throw new UsageError(`installed, but not usable: ${still.join(', ')}`);
    return NONE;
  },
});

/** What stands in for AWS in the end-to-end tests. */
export const awsStandIn: Suite = {
  title: 'moto',
  run: async (signal) => {
    const python: Missing[] = hasPython()
      ? []
      : [
          {
            what: 'Python with venv, which runs the stand-in for AWS',
            aptPackages: ['python3', 'python3-venv'],
            elsewhere: 'install Python 3.9 or newer with its modules venv and ensurepip',
          },
        ];
    await install(python, thisMachine(), { signal, report: () => undefined, announce: () => undefined });
    await provideMoto({ signal });
    return NONE;
  },
};
