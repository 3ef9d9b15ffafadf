/**
 * The loop of the unsealer: whenever Vault says that it is sealed (`vault status` exits with 2), give it every share. Its
 * argument is the path of the `vault` program. With 0 Vault is unsealed, with 1 not reachable; another code is said once.
 *
 * A Vault that joins others opens itself some seconds after it has all shares. It must not get them twice: it would open
 * itself twice, and then miss that it has lost the lead (vault 1.21.1, vault/core.go, unsealWithRaft). So they are given again
 * after a minute, and at once where Vault refused one.
 *
 * A share is read by `vault` from a file, so it is never in an argument list or in the environment. A share that Vault
 * refuses is logged without the share.
 */
export const UNSEAL_SCRIPT = `#!/bin/sh
trap 'exit 0' TERM INT
rounds=0
while :; do
  "$1" status >/dev/null 2>&1
  code="$?"
  if [ "$code" -ne 2 ]; then
    rounds=0
  fi
  if [ "$code" -eq 2 ] && [ "$rounds" -gt 0 ]; then
    rounds=$((rounds - 1))
  elif [ "$code" -eq 2 ]; then
    rounds=30
    for share in /files/unseal-share-*; do
      if "$1" write -format=json sys/unseal key=@"$share" >/dev/null 2>/tmp/error; then
        echo "gave $share to Vault"
      else
        rounds=0
        echo "Vault refused $share:" && head -n 3 /tmp/error
      fi
    done
    rm -f /tmp/error
  elif [ "$code" -gt 2 ] && [ "$code" != "$before" ]; then
    echo "$1 status exited with $code, neither 0, 1 nor 2: Vault is not unsealed while it does" >&2
  fi
  before="$code"
  sleep 2 &
  wait "$!"
done
`;
