void gate_placeholder(void); void gate_placeholder(void){}
