// A worker of a crew in node: it learns what comes through the port that it is given.

import { parentPort } from "node:worker_threads";

import { assist } from "../../src/planaria/web/learn/crew.js";

parentPort.once("message", ({ port }) => assist(port));
