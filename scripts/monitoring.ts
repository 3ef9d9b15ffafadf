/** `./scripts/monitoring`: what Prometheus and Grafana need. */
import path from 'node:path';
import { UsageError } from '../operations/lib/errors';
import { monitoringFiles, requireMonitoring, writeMonitoring } from '../operations/monitoring/prometheus';
import { metricsFiles } from '../operations/monitoring/targets';
import { loadEnvironment } from '../operations/state/load';
import { command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';

const HELP = `Usage: ./scripts/monitoring [environment] --print | --write FOLDER

Prints or writes what Prometheus and Grafana need to watch an environment that declares monitoring: prometheus.yml with
the scrape jobs, rules.yml with the alerts, dashboard.json for Grafana. docs/monitoring.md says more.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --print       print them; the scrape jobs name files of the state folder
  --write       write them into this folder, with copies of the CA certificate, the tokens and the client
                certificate by which Prometheus is let in. As root: all for the owner of the folder
  -h, --help    this text

${EXIT_CODES_HELP}
`;

const OPTIONS = { print: FLAG, write: TEXT };

void command('monitoring', HELP, OPTIONS, ({ values, positionals }) => {
  if ((values.print ?? false) === (values.write !== undefined)) {
    throw new UsageError('give one of --print, --write FOLDER', 'See ./scripts/monitoring --help.');
  }
  const loaded = loadEnvironment(positionals[0]);
  if (values.write !== undefined) {
    for (const file of writeMonitoring(loaded, path.resolve(values.write))) process.stdout.write(`${file}\n`);
  } else {
    requireMonitoring(loaded);
    for (const { name, content } of monitoringFiles(loaded.environment, metricsFiles(loaded.state), 'rules.yml')) {
      process.stdout.write(`# ${name}\n${content}\n`);
    }
  }
});
