chart("time", carbonOverTime);
chart("front", latencyCarbon);
chart("load", loadMap);
chart("split", split);
