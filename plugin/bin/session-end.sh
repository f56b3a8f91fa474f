# The end of a session, for the host's shell to read. The host ends a hook of this event after 1.5 s, so
# that it starts no program and waits for none: what is to be done is left to a process in the background.

# Returns 0 if jobs are to be cancelled for some workspace, or if that cannot be decided here.
codex_broker_has_work() {
  if [ -n "${CODEX_BROKER_STATE_DIR:-}" ]; then
    set -- "$CODEX_BROKER_STATE_DIR"
  else
    # The account's own home directory, which some shells know without HOME.
    home=$(unset HOME; echo ~)
    case $home in
      /*) ;;
      *) home=${HOME:-/nonexistent} ;;
    esac
    set -- "$home/.local/state/codex-broker" "$home/Library/Application Support/codex-broker" \
      "${LOCALAPPDATA:-$home/AppData/Local}/codex-broker"
  fi
  known=no
  for state in "$@"; do
    [ -d "$state" ] || continue
    known=yes
    for file in "$state"/workspaces/*.json; do
      [ -e "$file" ] || continue
      [ -r "$file" ] || return 0
      while IFS= read -r line || [ -n "$line" ]; do
        case $line in
          *'"jobsAtEnd"'*'"cancel"'*) return 0 ;;
        esac
      done <"$file"
    done
  done
  [ "$known" = no ]
}

if codex_broker_has_work; then
  exec 3<&0
  if command -v setsid >/dev/null 2>&1; then
    setsid node "${CLAUDE_PLUGIN_ROOT}/bin/codex-broker.mjs" hook session-end --within 60 <&3 >/dev/null 2>&1 &
  else
    node "${CLAUDE_PLUGIN_ROOT}/bin/codex-broker.mjs" hook session-end --within 60 <&3 >/dev/null 2>&1 &
  fi
fi
exit 0
