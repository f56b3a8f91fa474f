/** With this setting every broker starts its app-server, and no other program does. */
export const OWN_SETTING = "thread_unload_delay_secs=1";
