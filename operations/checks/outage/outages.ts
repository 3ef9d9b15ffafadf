import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import type { LoadedEnvironment } from '../../state/load';
import { nodesOf } from '../../../config/node';
import { ExternalError } from '../../lib/errors';
import type { GuardedContainer, CleanupWatchdog } from './cleanup-watchdog';

interface Outage {
  readonly container: GuardedContainer;
  readonly stopping: Promise<unknown>;
}

/** Services that a run interrupts, and puts back whatever happens. */
export class Outages {
  private readonly loaded: LoadedEnvironment;
  private readonly watchdog: CleanupWatchdog;
  private readonly under = new Set<Outage>();

  constructor(loaded: LoadedEnvironment, watchdog: CleanupWatchdog) {
    this.loaded = loaded;
    this.watchdog = watchdog;
  }

  /** See CheckContext.whileStopped. */
  async during<T>(program: 'kes', use: () => Promise<T>): Promise<T> {
    const { environment } = this.loaded;
    const { host, certPath } = environment.docker;
    const container: GuardedContainer = {
      name: nodesOf(environment)[0][program].container,
      environment: environment.name,
      docker: { host, certPath },
    };
    // loading it takes longer than most checks run
    const { dockerEngine } = await import('../../docker/docker.js');
    const docker = dockerEngine(container.docker).getContainer(container.name);
    const { Config, State } = await docker.inspect();
    if (Config.Labels[ENVIRONMENT_LABEL] !== environment.name) {
      throw new ExternalError(`${container.name} is no container of environment ${environment.name}; it is left alone`);
    }
    // what was stopped on purpose must not run afterwards
    if (!State.Running) throw new ExternalError(`${container.name} does not run, so it cannot be interrupted`);
    this.watchdog.note({ stopped: container });
    const outage: Outage = { container, stopping: docker.stop() };
    this.under.add(outage);
    try {
      await outage.stopping;
      return await use();
    } finally {
      await this.end(outage);
    }
  }

  /** Ends every outage that is still there: a run that was interrupted does not wait for its checks. */
  async endAll(): Promise<void> {
    await Promise.all([...this.under].map(async (outage) => this.end(outage)));
  }

  private async end(outage: Outage): Promise<void> {
    const { startContainer } = await import('./clean-up.js');
    // what is just being stopped would stop after it was started
    await Promise.allSettled([outage.stopping]);
    await startContainer(outage.container);
    this.under.delete(outage);
    this.watchdog.note({ started: outage.container });
  }
}
