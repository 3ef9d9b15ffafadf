import type { Environment } from '../../../config/environment';
import { type Node, nodesOf } from '../../../config/node';

/** Which hosts a command can do something on. One that does not answer is away; without `hosts` none ever is. */
export class HostsHere {
  private away: readonly string[] = [];

  /** Names of the hosts that are away. */
  get missing(): readonly string[] {
    return this.away;
  }

  /** @param away names of hosts */
  leaveOut(away: readonly string[]): void {
    this.away = away;
  }

  /** The nodes on the others. */
  here(environment: Environment): readonly Node[] {
    return nodesOf(environment).filter(({ host }) => host === undefined || !this.away.includes(host.name));
  }
}
