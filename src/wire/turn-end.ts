let tasks: Array<() => void> = [];

/**
 * Calls it when all that can be read in this turn of the event loop has been read. There is one timer for
 * everybody: one for each costs more than a small write.
 */
export function atTurnEnd(task: () => void): void {
  if (tasks.push(task) === 1) setImmediate(runAll);
}

function runAll(): void {
  const due = tasks;
  tasks = [];
  for (const task of due) task();
}
