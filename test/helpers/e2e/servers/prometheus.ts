/** The real Prometheus and node_exporter, beside a deployment, that look every second. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import { writeMonitoring } from '../../../../operations/monitoring/prometheus';
import type { LoadedEnvironment } from '../../../../operations/state/load';
import { CLIENT_PROGRAMS, findClient } from '../clients/client-programs';
import { testPorts } from '../test-ports';

const answer = z.object({ status: z.literal('success'), data: z.unknown() });
const alerts = z.object({ alerts: z.array(z.object({ state: z.string(), labels: z.record(z.string(), z.string()) })) });
const targets = z.object({
  activeTargets: z.array(
    z.object({ scrapePool: z.string(), scrapeUrl: z.string(), health: z.string(), lastError: z.string() }),
  ),
});
const result = z.object({ result: z.array(z.unknown()) });

/** What is no longer than a quarter of an hour is waited for this long. A restart of MinIO is none of an outage. */
const HOLD = '6s';
const WINDOW = '15s';

export class Prometheus {
  private readonly url: string;
  private readonly children: ChildProcess[] = [];

  private constructor(port: number) {
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(loaded: LoadedEnvironment, folder: string): Promise<Prometheus> {
    const [port = 0, nodePort = 0] = await testPorts(2);
    const own = path.join(folder, 'prometheus');
    writeMonitoring(loaded, own, {
      hold: (duration) => (/^(?:15m|\d+h)$/.test(duration) && duration !== '1h' ? duration : HOLD),
      window: () => WINDOW,
    });
    const file = path.join(own, 'prometheus.yml');
    const configuration = parse(readFileSync(file, 'utf8')) as { scrape_configs: unknown[] };
    const node = { job_name: 'node', static_configs: [{ targets: [`127.0.0.1:${nodePort}`] }] };
    writeFileSync(
      file,
      stringify({
        ...configuration,
        global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
        scrape_configs: [...configuration.scrape_configs, node],
      }),
    );
    const prometheus = new Prometheus(port);
    const textfile = loaded.environment.monitoring?.textfile ?? '';
    prometheus.run('node-exporter', own, [
      `--web.listen-address=127.0.0.1:${nodePort}`,
      ...['--collector.disable-defaults', '--collector.textfile', `--collector.textfile.directory=${textfile}`],
    ]);
    const data = path.join(own, 'data');
    mkdirSync(data, { recursive: true });
    prometheus.run('prometheus', own, [
      `--web.listen-address=127.0.0.1:${port}`,
      ...[`--config.file=${file}`, `--storage.tsdb.path=${data}`],
    ]);
    try {
      await prometheus.untilEverythingAnswers();
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
    return prometheus;
  }

  /** Waits until each target is up, or is a standby that leads to one that is. */
  async untilEverythingAnswers(timeoutMs = 60_000): Promise<void> {
    await waitFor({ what: 'Prometheus to reach everything', timeoutMs }, async () => {
      const { activeTargets } = targets.parse(await this.ask('targets'));
      const up = activeTargets.filter(({ health }) => health === 'up').map(({ scrapePool }) => scrapePool);
      const away = activeTargets.filter(
        ({ health, scrapePool, lastError }) =>
          health !== 'up' && !(lastError.includes('HTTP status 307') && up.includes(scrapePool)),
      );
      if (activeTargets.length > 0 && away.length === 0) return true;
      return new NotYet(away.map(({ scrapeUrl, lastError }) => `${scrapeUrl}: ${lastError}`).join('; '));
    });
  }

  /** Names of the alerts that fire. */
  async firing(): Promise<string[]> {
    const all = alerts.parse(await this.ask('alerts')).alerts.filter(({ state }) => state === 'firing');
    return [...new Set(all.map(({ labels }) => labels.alertname ?? ''))].sort();
  }

  /** Waits until these fire and no other, and says which others fired on the way. */
  async until(expected: readonly string[], timeoutMs = 90_000): Promise<string[]> {
    const others = new Set<string>();
    await waitFor(
      { what: `the alerts to be: ${expected.join(', ') || 'none'}`, timeoutMs, intervalMs: 250 },
      async () => {
        const now = await this.firing();
        for (const name of now) if (!expected.includes(name)) others.add(name);
        return now.join() === [...expected].sort().join() ? true : new NotYet(now.join(', ') || 'none');
      },
    );
    return [...others];
  }

  /** Which other alerts fire meanwhile: by default within some evaluations, of what is wrong already. */
  async othersThan(expected: readonly string[], durationMs = 3000): Promise<string[]> {
    const others = new Set<string>();
    const end = Date.now() + durationMs;
    while (Date.now() < end) {
      for (const name of await this.firing()) if (!expected.includes(name)) others.add(name);
      await delay(250);
    }
    return [...others];
  }

  /** How many series answer a query. */
  async series(query: string): Promise<number> {
    return result.parse(await this.ask(`query?query=${encodeURIComponent(query)}`)).result.length;
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once('close', resolve));
        child.kill('SIGTERM');
        await ended;
      }),
    );
  }

  private run(program: 'prometheus' | 'node-exporter', folder: string, args: readonly string[]): void {
    const found = findClient(program);
    if (found === undefined) {
      throw new Error(`${program} is not here: install the package ${CLIENT_PROGRAMS[program].aptPackages[0]}`);
    }
    const log = openSync(path.join(folder, `${program}.log`), 'a');
    this.children.push(spawn(found, args, { stdio: ['ignore', log, log] }));
    closeSync(log);
  }

  private async ask(what: string): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${what}`);
    return answer.parse(await response.json()).data;
  }
}
