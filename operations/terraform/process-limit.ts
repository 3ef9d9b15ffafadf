/**
 * What to do where a container was not started because of its limit of processes; undefined where that is not what was
 * said. Docker does not tell beforehand what it may raise the limit to.
 *
 * @param output what a deploy that failed printed
 */
export function howToLimitProcesses(output: readonly string[], limit: number): string | undefined {
  // opencontainers/runc, libcontainer: RLIMIT_NPROC has the number 6 on Linux
  return /setting\s+rlimit\s+type\s+6/.test(output.join('\n'))
    ? `the Docker engine may not give a container ${limit} processes: set docker.processLimit to what \`ulimit -Hu\` prints where it runs, or less, and run this again`
    : undefined;
}
