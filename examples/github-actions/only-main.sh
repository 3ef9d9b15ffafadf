#!/usr/bin/env bash
# Keeps a runner for the workflows of main. The runner starts it before each job, and runs none for which it fails: what
# a branch or a pull request writes into its workflows changes nothing of that. Where it goes is in README.md beside it.
set -euo pipefail

refuse() {
  printf '::error title=Not on this runner::%s\n' "$1"
  exit 1
}

case ${GITHUB_EVENT_NAME-} in
  push | schedule | workflow_dispatch) ;;
  # pull_request_target and workflow_run are of main, too, and may handle what is not
  *) refuse "it takes no job of the event ${GITHUB_EVENT_NAME:-none}" ;;
esac
[ "${GITHUB_REF-}" = refs/heads/main ] || refuse "it takes jobs of main only, not of ${GITHUB_REF:-nothing}"
workflows=$GITHUB_REPOSITORY/.github/workflows
case ${GITHUB_WORKFLOW_REF-} in
  "$workflows/deploy.yml@refs/heads/main" | "$workflows/drift.yml@refs/heads/main") ;;
  *) refuse "it takes jobs of deploy.yml and drift.yml only, not of ${GITHUB_WORKFLOW_REF:-none}" ;;
esac
