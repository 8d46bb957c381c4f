package all

import _ "github.com/sardonyx-ml/sardonyx/ops/rnn" // registers its operators
